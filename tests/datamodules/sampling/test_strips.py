"""Scenes read by strips: resized and brought to the unit range as the whole would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules.degradations.resize import resize_matrix
from datamodules.sampling import strips
from datamodules.sampling.strips import area_matrix, in_unit_range, load_float, load_resized
from datamodules.scenes.readers import NpyCube


def reflectance(bands: int, height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).uniform(0, 1.1, (bands, height, width)).astype(np.float32)


def test_the_area_matrix_averages_exactly() -> None:
    thirds = area_matrix(4, 3)
    assert torch.allclose(thirds, torch.tensor([[0.75, 0.25, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0.25, 0.75]]).double())
    big = area_matrix(3376, 512)
    assert torch.allclose(big.sum(1), torch.ones(512).double())
    assert torch.allclose(big.sum(0), torch.full((3376,), 512 / 3376).double())
    assert int((big > 0).sum(1).max()) == 8
    assert torch.equal(area_matrix(8, 4), torch.eye(4).repeat_interleave(2, 1).double() / 2)


def test_strips_give_the_same_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "cube.npy", reflectance(31, 18, 22))
    whole = load_resized(NpyCube(tmp_path / "cube.npy", axes="CHW"), 6, 7, "area")
    monkeypatch.setattr(strips, "_STRIP_VALUES", 31 * 22 * 4)
    file = NpyCube(tmp_path / "cube.npy", axes="CHW")
    assert torch.equal(load_resized(file, 6, 7, "area"), whole)
    assert np.array_equal(load_float(file).numpy(), reflectance(31, 18, 22))
    with pytest.raises(ValueError, match="resizing 'nearest' is unknown: choose area or bicubic"):
        load_resized(file, 6, 7, "nearest")  # type: ignore[arg-type]


def test_rules_of_the_unit_range_leave_nan_to_the_check() -> None:
    cube = torch.tensor([1.0, float("nan"), 5.0]).reshape(1, 1, 3)
    assert in_unit_range(cube.clone(), "minmax", "a").flatten()[[0, 2]].tolist() == [0.0, 1.0]
    assert in_unit_range(cube.clone(), "maximum", "a").flatten()[[0, 2]].tolist() == [pytest.approx(0.2), 1.0]
    assert in_unit_range(cube.clone(), "none", "a").flatten()[2] == 5
    for rule in ("minmax", "maximum"):
        with pytest.raises(ValueError, match="scene a cannot be normalised, as its largest value is 0"):
            in_unit_range(torch.zeros(1, 2, 2), rule, "a")


@pytest.mark.parametrize("method", ["area", "bicubic"])
def test_both_axes_are_resized_by_the_matrix_of_the_method(tmp_path: Path, method: strips.Resizing) -> None:
    cube = reflectance(2, 12, 9)
    np.save(tmp_path / "a.npy", cube)
    found = load_resized(NpyCube(tmp_path / "a.npy", axes="CHW"), 4, 5, method)
    matrix = area_matrix if method == "area" else resize_matrix
    expected = matrix(12, 4) @ torch.from_numpy(cube).double() @ matrix(9, 5).T
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


def test_a_missing_value_is_named_by_its_place_in_the_whole_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = reflectance(2, 12, 9)
    cube[1, 7, 3] = np.nan
    np.save(tmp_path / "a.npy", cube)
    monkeypatch.setattr(strips, "_STRIP_VALUES", 2 * 9 * 4)
    with pytest.raises(ValueError, match=r"a\.npy holds missing values .* the first in band 1 at row 7, column 3"):
        load_float(NpyCube(tmp_path / "a.npy", axes="CHW"))


def test_clipping_and_scaling_work_in_place() -> None:
    cube = torch.tensor([-1.0, 0.5, 3.0]).reshape(1, 1, 3)
    assert in_unit_range(cube, "clip", "a") is cube
    assert cube.flatten().tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match=r"largest value is 0.5 and what becomes 0 is 0.5"):
        in_unit_range(torch.full((1, 2, 2), 0.5), "minmax", "a")
