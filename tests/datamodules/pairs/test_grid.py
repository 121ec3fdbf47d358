"""Sizes that lie on each other, and one sentence for each way in which they do not."""

from pathlib import Path

import numpy as np
import pytest

from datamodules.pairs.grid import pair_ratio
from datamodules.scenes.readers import CubeFile, open_cube


def cube(folder: Path, bands: int, height: int, width: int) -> CubeFile:
    path = folder / f"{bands}_{height}_{width}.npy"
    np.save(path, np.zeros((bands, height, width), np.float32))
    return open_cube(path, axes="CHW")


@pytest.mark.parametrize("ratio", [1, 2, 5, 8])
def test_whole_ratios(tmp_path: Path, ratio: int) -> None:
    assert pair_ratio("x", cube(tmp_path, 9, 6, 7), cube(tmp_path, 3, 6 * ratio, 7 * ratio)) == ratio


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        (
            (3, 21, 28),
            r"21 x 28 pixels, which is no multiple of the 6 x 8 .*\(a ratio of 3\.5\): resample it to 24 x 32, or crop",
        ),
        (
            (3, 24, 40),
            r"24 x 40 pixels, which is no multiple of the 6 x 8 .*\(4 along rows, 5 along columns\): register and crop",
        ),
        ((3, 3, 4), "3 x 4 pixels, fewer than the 6 x 8 of the hyperspectral one: crop both to the same ground"),
        ((20, 3, 4), "3 x 4 pixels and more bands than the hyperspectral one of 6 x 8: exchange the two files"),
    ],
)
def test_others_are_refused_with_what_to_set(tmp_path: Path, size: tuple[int, int, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"The multispectral image of 'x' has {sentence}"):
        pair_ratio("x", cube(tmp_path, 9, 6, 8), cube(tmp_path, *size))
