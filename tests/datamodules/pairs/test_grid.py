"""Sizes and places on the ground that lie on each other, and one sentence for each way in which they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from datamodules import FusionPair
from datamodules.pairs.grid import check_ground, pair_ratio
from datamodules.scenes.facts.ground import Ground
from datamodules.scenes.readers import CubeFile, open_cube
from tests.datamodules.scenes.make_cubes import write_cube

COARSE = np.arange(1, 5 * 4 * 6 + 1, dtype=np.float32).reshape(5, 4, 6)
FINE = np.arange(1, 3 * 8 * 12 + 1, dtype=np.float32).reshape(3, 8, 12)
CENTRES = [420.0, 450.0, 480.0, 510.5, 660.0]
UTM = "31, North, WGS-84, units=Meters"


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


def envi(folder: Path, cube: Any, place: str | None, centres: list[float] | None = None) -> CubeFile:  # noqa: ANN401
    path = write_cube(folder, "bsq", cube, centres)
    header = next(folder.glob("*.hdr"))
    header.write_text(header.read_text() + (f"map info = {{{place}}}\n" if place else ""))
    return open_cube(path)


def tiff(path: Path, cube: Any, tie: tuple[float, ...], side: float, code: int, point: bool = False) -> CubeFile:  # noqa: ANN401
    path.parent.mkdir(exist_ok=True)
    keys = (1, 1, 0, 2, 1025, 0, 1, 2 if point else 1, 3072, 0, 1, code)
    tags: list[tuple[int, int, int, Any, bool]] = [
        (33550, 12, 3, (side, side, 0.0), True),
        (33922, 12, 6, tie, True),
        (34735, 3, len(keys), keys, True),
    ]
    tifffile.imwrite(path, cube, photometric="minisblack", metadata=None, extratags=tags)
    return open_cube(path)


def test_the_outline_of_an_envi_image_counts_pixels_from_one(tmp_path: Path) -> None:
    expected = Ground("UTM 31 North", 700.0, 900.0, 60.0, 60.0, 4, 6)
    assert envi(tmp_path / "a", COARSE, f"UTM, 1, 1, 700, 900, 60, 60, {UTM}").ground() == expected
    assert envi(tmp_path / "b", COARSE, f"UTM, 3, 2.5, 820, 810, 60, 60, {UTM}").ground() == expected
    turned = f"UTM, 1, 1, 7, 9, 6, 6, {UTM}, rotation=30"
    for nowhere in (None, "Arbitrary, 1, 1, 0, 0, 1, 1", "UTM, 1, 1, x, 900, 60, 60", turned):
        assert envi(tmp_path / f"c{len(str(nowhere))}", COARSE, nowhere).ground() is None


def test_the_outline_of_a_geotiff_counts_pixels_from_zero_and_points_from_their_middle(tmp_path: Path) -> None:
    expected = Ground("UTM 31 North", 700.0, 900.0, 60.0, 60.0, 4, 6)
    assert tiff(tmp_path / "a.tif", COARSE, (0, 0, 0, 700, 900, 0), 60, 32631).ground() == expected
    assert tiff(tmp_path / "b.tif", COARSE, (2, 1, 0, 820, 840, 0), 60, 32631).ground() == expected
    assert tiff(tmp_path / "c.tif", COARSE, (0, 0, 0, 730, 870, 0), 60, 32631, point=True).ground() == expected
    np.save(tmp_path / "d.npy", COARSE)
    assert open_cube(tmp_path / "d.npy", axes="CHW").ground() is None


@pytest.mark.parametrize(
    ("x", "zone", "apart"),
    [(700, 32631, None), (755, 32631, None), (775, 32631, "1.25"), (90700, 32631, "1.5e+03"), (90700, 32632, None)],
)
def test_images_on_other_ground_are_refused_across_formats(
    x: float, zone: int, apart: str | None, tmp_path: Path
) -> None:
    coarse = envi(tmp_path / "hs", COARSE, f"UTM, 1, 1, 700, 900, 60, 60, {UTM}")
    fine = tiff(tmp_path / "a.tif", FINE, (0, 0, 0, x, 900, 0), 30, zone)
    if apart is None:
        check_ground("a", coarse, fine)
        return
    with pytest.raises(
        ValueError, match=r"crop both to the same ground, or set data\.init_args\.register to true"
    ) as told:
        check_ground("a", coarse, fine)
    assert f"of 'a' lie up to {apart} hyperspectral pixels apart" in str(told.value)


def test_a_shift_that_is_asked_for_is_not_refused(tmp_path: Path) -> None:
    envi(tmp_path / "hyperspectral", COARSE, f"UTM, 1, 1, 700, 900, 60, 60, {UTM}", CENTRES)
    envi(tmp_path / "multispectral", FINE, f"UTM, 1, 1, 1300, 900, 30, 30, {UTM}")
    stem = next(iter(FusionPair(str(tmp_path)).pairs_found()))
    with pytest.raises(ValueError, match="lie up to 10 hyperspectral pixels apart"):
        FusionPair(str(tmp_path)).opened(stem)
    assert FusionPair(str(tmp_path), register=True).opened(stem).ratio == 2
