"""Of a fused cube, bands and values are the hyperspectral image's, format and place the multispectral one's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from datamodules.pairs.place import fused_template
from datamodules.scenes.readers import CubeFile, EnviCube, TiffCube, open_cube
from tests.datamodules.scenes.make_cubes import write_cube

COARSE = np.arange(1, 5 * 4 * 6 + 1, dtype=np.uint16).reshape(5, 4, 6)
FINE = np.arange(1, 3 * 8 * 12 + 1, dtype=np.uint16).reshape(3, 8, 12)
CENTRES = [420.0, 450.0, 480.0, 510.5, 660.0]


def envi(folder: Path, cube: Any, centres: list[float] | None, *lines: str) -> CubeFile:  # noqa: ANN401
    path = write_cube(folder, "bsq", cube, centres)
    header = next(folder.glob("*.hdr"))
    header.write_text(header.read_text() + "".join(f"{line}\n" for line in lines))
    return open_cube(path)


def tiff(path: Path, cube: Any, side: float, marks: str, text: str) -> CubeFile:  # noqa: ANN401
    path.parent.mkdir(exist_ok=True)
    tags: list[tuple[int, int, int, Any, bool]] = [
        (33550, 12, 3, (side, side, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, side, side, 0.0), True),
        (42112, 2, 0, f"<GDALMetadata><Item name='{text}'>1</Item></GDALMetadata>", True),
        (42113, 2, 0, marks, True),
    ]
    tifffile.imwrite(path, cube, photometric="minisblack", metadata=None, extratags=tags)
    return open_cube(path)


def test_two_envi_images(tmp_path: Path) -> None:
    high = envi(
        tmp_path / "hs", COARSE, CENTRES, "map info = {UTM, 1, 1, 0, 0, 120, 120}", "reflectance scale factor = 100"
    )
    low = envi(tmp_path / "ms", FINE, None, "map info = {UTM, 1, 1, 7, 9, 60, 60}", "data ignore value = 3")
    found = fused_template(high, low)
    assert isinstance(found, EnviCube)
    assert found.shape == (5, 8, 12)
    assert found.path == high.path
    assert found.entries["map info"] == ["UTM", "1", "1", "7", "9", "60", "60"]
    assert found.entries["reflectance scale factor"] == "100"
    assert "data ignore value" not in found.entries
    assert found.wavelengths == tuple(CENTRES)
    # neither image was changed
    assert (high.shape, low.shape) == (COARSE.shape, FINE.shape)


def test_two_tiff_images(tmp_path: Path) -> None:
    high = tiff(tmp_path / "hs" / "a.tif", COARSE, 120.0, "7", "many")
    low = tiff(tmp_path / "ms" / "a.tif", FINE, 60.0, "9", "few")
    found = fused_template(high, low)
    assert isinstance(found, TiffCube)
    assert found.shape == (5, 8, 12)
    tags = {code: value for code, _, _, value in found.tags}
    assert tags[33550] == (60.0, 60.0, 0.0)
    assert tags[33922][3] == 60.0
    assert tags[42113] == "7"
    assert "many" in tags[42112]


@pytest.mark.parametrize("kind", ["envi", "tiff"])
def test_arrays_take_format_and_place_of_the_other_image_and_not_what_it_says_of_its_bands(
    tmp_path: Path, kind: str
) -> None:
    np.save(tmp_path / "a.npy", COARSE)
    high = open_cube(tmp_path / "a.npy", axes="CHW", wavelengths=CENTRES)
    if kind == "envi":
        low = envi(
            tmp_path / "ms", FINE, [450.0, 550.0, 650.0], "map info = {UTM, 1, 1, 7, 9, 60, 60}", "bbl = {1, 1, 0}"
        )
        found = fused_template(high, low)
        assert isinstance(found, EnviCube)
        assert "map info" in found.entries
        assert not {"wavelength", "wavelength units", "bbl"} & set(found.entries)
    else:
        found = fused_template(high, tiff(tmp_path / "ms" / "a.tif", FINE, 60.0, "9", "few"))
        assert isinstance(found, TiffCube)
        assert {33550, 33922} <= {code for code, *_ in found.tags}
        assert not {42112, 42113} & {code for code, *_ in found.tags}
    assert found.shape[1:] == (8, 12)
    assert found.wavelengths is None


def test_beside_an_image_without_a_place_the_hyperspectral_file_is_taken_as_it_is(tmp_path: Path) -> None:
    high = envi(tmp_path / "hs", COARSE, CENTRES)
    np.save(tmp_path / "b.npy", FINE)
    assert fused_template(high, open_cube(tmp_path / "b.npy", axes="CHW")) is high


def test_the_mark_of_missing_values_goes_along_into_the_other_format(tmp_path: Path) -> None:
    high = envi(tmp_path / "hs", COARSE, CENTRES, "data ignore value = 65535")
    low = tiff(tmp_path / "a.tif", FINE, 60.0, "9", "few")
    found = fused_template(high, low)
    assert isinstance(found, TiffCube)
    assert {code: value for code, _, _, value in found.tags}[42113] == "65535"
    np.save(tmp_path / "b.npy", COARSE)
    unmarked = fused_template(open_cube(tmp_path / "b.npy", axes="CHW"), low)
    assert isinstance(unmarked, TiffCube)
    assert 42113 not in {code for code, *_ in unmarked.tags}
    other = fused_template(tiff(tmp_path / "c.tif", COARSE, 120.0, "7", "many"), envi(tmp_path / "ms", FINE, None))
    assert isinstance(other, EnviCube)
    assert other.entries["data ignore value"] == "7"
