"""The largest part of a pair without missing values, against a search through all rectangles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules.pairs.reader import middle_of
from datamodules.pairs.whole_part import largest_rectangle
from tests.datamodules.pairs.arrays import pairs, values, write_pair


def most_pixels(known: NDArray[np.bool_]) -> int:
    """Try every rectangle."""
    height, width = known.shape
    return max(
        (bottom - top) * (right - left)
        for top in range(height)
        for bottom in range(top + 1, height + 1)
        for left in range(width)
        for right in range(left + 1, width + 1)
        if known[top:bottom, left:right].all()
    )


@pytest.mark.parametrize("seed", range(20))
def test_no_rectangle_is_larger(seed: int) -> None:
    known = np.random.default_rng(seed).random((6, 7)) < 0.3 + 0.03 * seed
    known[3, 4] = True
    top, left, height, width = largest_rectangle(known)
    assert known[top : top + height, left : left + width].all()
    assert height * width == most_pixels(known)


def test_sensors_and_walds_protocol_take_what_neither_image_lacks(tmp_path: Path) -> None:
    """Fault: borders without data ended `test` and estimates, although missing values were to be kept."""
    coarse, fine = values(3, 8, 8) / 4, values(2, 16, 16, 1) / 4
    coarse[1, 0, :], fine[:, :, 15] = np.nan, np.nan
    write_pair(tmp_path / "data", "a", coarse, fine)
    settings = {"scale": 1.0, "nan": "keep", "cache": str(tmp_path / "cache"), "training": []}
    data = pairs(tmp_path / "data", **settings)
    low, high = middle_of(data.opened("a"), data.reader)
    assert torch.equal(low.float(), torch.from_numpy(coarse[:, 1:, :7]))
    assert torch.equal(high.float(), torch.from_numpy(fine[:, 2:, :14]))
    scene = data.read_scene("a")
    assert torch.equal(scene.cube, torch.from_numpy(coarse[:, 1:, :7]))
    assert data.read_measured("a", "multispectral").cube.shape == (2, 7, 7)
    target = next(iter(data.test_dataloader()[0]))["target"]
    assert torch.equal(target[0], torch.from_numpy(coarse[:, 1:7, :6]))
    with pytest.raises(ValueError, match="holds missing values"):
        pairs(tmp_path / "data", **settings | {"nan": "refuse"}).read_scene("a")


def test_a_pair_without_any_whole_pixel_is_one_sentence(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", np.full((3, 4, 4), np.nan, np.float32), values(2, 8, 8))
    with pytest.raises(ValueError, match=r"^Every pixel of the pair 'a' lacks a value of one of its images: leave"):
        pairs(tmp_path, scale=1.0, nan="keep").read_scene("a")
