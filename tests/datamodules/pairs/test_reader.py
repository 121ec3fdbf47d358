"""Opening pairs: scales, channels, the middle that sensors are estimated from, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from datamodules import FusionPair
from datamodules.pairs.reader import check_scale, middle_of
from tests.datamodules.pairs.arrays import pairs, values, write_pair


@pytest.mark.parametrize("wrong", [0.0, -2.0, math.inf, math.nan, "own"])
def test_a_scale_is_a_positive_number(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(
        ValueError, match=f"^A scale of {wrong} is not possible: give a positive number, or leave it out"
    ):
        check_scale(wrong, None)
    if wrong != "own":
        with pytest.raises(ValueError, match=f"^A multispectral_scale of {wrong} is not possible"):
            check_scale(None, wrong)
    check_scale(2.5, "own")
    check_scale(None, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (4.0, 4.0)),
        ({"scale": 5.0}, (5.0, 5.0)),
        ({"scale": 5.0, "multispectral_scale": 7.0}, (5.0, 7.0)),
        ({"scale": 5.0, "multispectral_scale": "own"}, (5.0, 2.0)),
        ({"multispectral_scale": "own"}, (4.0, 2.0)),
        ({"multispectral_scale": 8.0}, (4.0, 8.0)),
    ],
    ids=str,
)
def test_what_both_images_are_divided_by(tmp_path: Path, given: dict[str, Any], expected: tuple[float, float]) -> None:
    coarse, fine = np.full((3, 4, 4), 4.0, np.float32), np.full((2, 8, 8), 2.0, np.float32)
    write_pair(tmp_path, "a", coarse, fine)
    data = pairs(tmp_path, **given)
    assert data.reader.scales(data.opened("a")) == expected


def test_an_image_of_nothing_and_two_units_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "dark", np.zeros((3, 4, 4), np.float32), values(2, 8, 8))
    write_pair(tmp_path, "units", np.full((3, 4, 4), 0.5, np.float32), np.full((2, 8, 8), 200.0, np.float32))
    write_pair(tmp_path, "close", np.full((3, 4, 4), 1.0, np.float32), np.full((2, 8, 8), 8.0, np.float32))
    data = pairs(tmp_path)
    with pytest.raises(ValueError, match=r"^The pair .*dark_hs\.npy holds no value above 0: download it again\.$"):
        data.reader.scales(data.opened("dark"))
    with pytest.raises(
        ValueError, match=r"^The two images of 'units' reach 0\.5 and 200, which one unit cannot explain"
    ):
        data.reader.scales(data.opened("units"))
    assert data.reader.scales(data.opened("close")) == (8.0, 8.0)


def test_channels_are_taken_by_number_in_the_order_asked_for(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", values(3, 4, 4), values(4, 8, 8))
    data = pairs(tmp_path, channels=[2, 0], multispectral_wavelengths=[450.0, 550.0, 650.0, 800.0])
    file = data.opened("a").multispectral
    match = data.reader.picked(file)
    assert match.weights.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    assert (match.kept, match.wavelengths) == ((0, 1), (650.0, 450.0))
    nameless = pairs(tmp_path)
    assert nameless.reader.channel_centres(nameless.opened("a").multispectral) == (1.0, 2.0, 3.0, 4.0)
    for wrong in (4, -1):
        with pytest.raises(
            ValueError, match=rf"of 'a' has 4 channels, numbered from 0, and none of number {wrong}: set"
        ):
            pairs(tmp_path, channels=[0, wrong]).opened("a")


def test_the_middle_of_both_images_is_of_one_ground(tmp_path: Path) -> None:
    coarse, fine = values(3, 101, 90, 1), values(2, 202, 180, 2)
    write_pair(tmp_path, "a", coarse, fine)
    data = pairs(tmp_path, channels=[1], scale=4.0, multispectral_scale=2.0)
    low, high = middle_of(data.opened("a"), data.reader)
    # 96 of 101 rows from row 2 on, all 90 columns
    assert torch.equal(low, torch.from_numpy(coarse[:, 2:98].astype(np.float64)) / 4)
    assert torch.equal(high, torch.from_numpy(fine[[1], 4:196].astype(np.float64)) / 2)


def test_an_array_that_is_not_named_is_asked_for_by_the_name_of_its_key(tmp_path: Path) -> None:
    savemat(tmp_path / "p.mat", {"first": values(3, 4, 4), "second": values(2, 8, 8)})
    data = FusionPair(str(tmp_path), wavelengths=[450.0, 550.0, 650.0], multispectral_key="second")
    with pytest.raises(ValueError, match=r"name one of them as the `hyperspectral_key`, a field of a struct as"):
        data.opened("p")
