"""TIFF files of GDAL: masks, marks, and pages that are no bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from datamodules.scenes.readers import open_cube
from tests.datamodules.scenes.make_cubes import cube_values
from tests.datamodules.scenes.readers.gdal_files import CUBE, gdal, write
from tests.datamodules.scenes.readers.refused import refused


@pytest.mark.parametrize("where", ["inside", "beside"])
def test_masks(tmp_path: Path, where: str) -> None:
    path = tmp_path / "a.tif"
    valid = np.ones((40, 48), np.uint8) * 255
    valid[:, :10] = 0
    with tifffile.TiffWriter(path) as file:
        file.write(
            CUBE.transpose(1, 2, 0), planarconfig="contig", photometric="minisblack", tile=(16, 16), metadata=None
        )
        file.write(CUBE[:, ::4, ::4].transpose(1, 2, 0).copy(), photometric="minisblack", subfiletype=1, metadata=None)
        if where == "inside":
            file.write(valid > 0, photometric="mask", subfiletype=4, metadata=None)
    if where == "beside":
        tifffile.imwrite(tmp_path / "a.tif.msk", valid, photometric="minisblack", metadata=None)
    cube = open_cube(path)
    values = cube.window(3, 5, 20, 20)
    assert np.array_equal(values, CUBE[:, 3:23, 5:25])
    mask = cube.missing(3, 5, values)
    assert mask is not None
    assert mask[:, :, :5].all()
    assert not mask[:, :, 5:].any()
    with pytest.raises(ValueError, match=r"holds missing values \(where its mask is 0\)"):
        cube.complete(0, 0, 40, 48)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"compression": "zlib", "tile": (16, 16)}])
def test_a_last_sample_that_is_called_alpha_is_a_mask(tmp_path: Path, planes: str, options: dict[str, Any]) -> None:
    valid = np.ones((1, 40, 48), CUBE.dtype)
    valid[:, :, :10] = 0
    samples = np.concatenate([CUBE, valid])
    samples = samples.transpose(1, 2, 0) if planes == "contig" else samples
    extra = ["unspecified"] * (len(CUBE) - 1)
    for alpha, bands in (("unassalpha", len(CUBE)), ("unspecified", len(CUBE) + 1)):
        path = tmp_path / f"{alpha}.tif"
        common: dict[str, Any] = {"photometric": "minisblack", "planarconfig": planes, "metadata": None}
        tifffile.imwrite(path, samples, extrasamples=[*extra, alpha], **common, **options)
        cube = open_cube(path)
        assert cube.shape == (bands, 40, 48)
        assert np.array_equal(cube.window(3, 5, 20, 20)[: len(CUBE)], CUBE[:, 3:23, 5:25])
        mask = cube.missing(3, 5, cube.window(3, 5, 20, 20))
        if alpha == "unspecified":
            assert mask is None
            continue
        assert mask is not None
        assert mask[:, :, :5].all()
        assert not mask[:, :, 5:].any()


def test_the_library_says_nothing_of_tags_that_are_read_here(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.tif", tags=gdal([], "-3.4028234663852886e+999"))
    assert open_cube(path).shape == CUBE.shape
    assert not caplog.records


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif.msk", np.ones((7, 9), np.uint8))
    cube = open_cube(path)
    with pytest.raises(ValueError, match=r"mask of .* has 7 x 9 pixels where the cube has 40 x 48"):
        cube.missing(0, 0, cube.window(0, 0, 2, 2))


@pytest.mark.parametrize(("nodata", "marks"), [("-9999", (-9999.0,)), ("0", (0.0,)), ("-3.4e+38", (-3.4e38,))])
def test_marks(tmp_path: Path, nodata: str, marks: tuple[float, ...]) -> None:
    assert open_cube(write(tmp_path / "a.tif", tags=gdal([], nodata))).marks.declared == marks


def test_a_tiff_whose_pages_are_rows(tmp_path: Path) -> None:
    values = cube_values(31, 60, 64)
    tifffile.imwrite(tmp_path / "a.tif", values.transpose(1, 2, 0), photometric="minisblack", metadata=None)
    sentence = r"The 60 pages of .*a\.tif, of 64 x 31, seem to be rows and not bands: set `axes` to HWC"
    refused(tmp_path / "a.tif", sentence)
    refused(tmp_path / "a.tif", sentence, wavelengths=[400.0 + band for band in range(31)])
    assert np.array_equal(open_cube(tmp_path / "a.tif", axes="HWC").window(0, 0, 60, 64), values)


def test_a_tiff_of_several_sizes(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for size in (8, 9):
            file.write(np.zeros((size, size), np.uint16), metadata=None)
    refused(tmp_path / "a.tif", r"a\.tif has pages of several sizes \(8 x 8, 9 x 9\)")


def test_more_pixels_than_the_file_has_bytes_are_damage(tmp_path: Path) -> None:
    """The lengths of a page's parts are right, its number of rows is not; GDAL's items are looked up all the same."""
    wavelengths = [f'<Item name="wavelength" sample="{band}">{400 + band}</Item>' for band in range(len(CUBE))]
    for rows in (41, 1 << 30):
        path = tmp_path / "a.tif"
        tifffile.imwrite(
            path, CUBE.transpose(1, 2, 0), planarconfig="contig", photometric="minisblack", metadata=None,
            extratags=gdal(wavelengths),
        )  # fmt: skip
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages.first.tags["ImageLength"].overwrite(rows)
        with pytest.raises(ValueError, match="is truncated or is no TIFF file"):
            cube = open_cube(path)
            cube.window(0, 0, 4, 4)
