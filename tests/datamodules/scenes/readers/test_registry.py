"""One door for every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers import READERS, open_cube
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube

TYPES = {"mat5": "uint16", "mat73": "uint16", "exr_half": "float16", "exr_float": "float32"}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_cube(tmp_path: Path, kind: str) -> None:
    values = cube_values()
    cube = open_cube(write_cube(tmp_path, kind, values))
    assert cube.shape == (5, 12, 15)
    assert cube.dtype == TYPES.get(kind, "uint16")
    assert np.array_equal(cube.window(0, 0, 12, 15), values)
    window = cube.window(3, 2, 4, 6)
    assert np.array_equal(window, values[:, 3:7, 2:8])
    assert window.dtype == cube.dtype
    assert window.flags.c_contiguous
    assert window.flags.owndata
    assert window.flags.writeable
    assert cube.maximum(3, 2, 4, 6) == values[:, 3:7, 2:8].max()
    with pytest.raises(ValueError, match=r"window of 4 x 6 pixels at row 9, column 2 leaves the cube .* of 12 x 15"):
        cube.window(9, 2, 4, 6)
    with pytest.raises(ValueError, match="leaves the cube"):
        cube.maximum(-1, 2, 4, 6)


@pytest.mark.parametrize("kind", FORMATS)
def test_wavelengths_come_from_the_file_or_from_the_user(tmp_path: Path, kind: str) -> None:
    cube_path = write_cube(tmp_path / "with", kind, cube_values(), CENTRES)
    kept = not kind.startswith("npy")
    assert open_cube(cube_path).wavelengths == (tuple(CENTRES) if kept else None)
    given = [700.0, 600.0, 500.0, 450.0, 400.0]
    assert open_cube(cube_path, wavelengths=given).wavelengths == tuple(given)
    if kind.startswith("exr"):
        return
    assert open_cube(write_cube(tmp_path / "without", kind, cube_values())).wavelengths is None


def test_a_cube_keeps_what_its_file_says(tmp_path: Path) -> None:
    envi = open_cube(write_cube(tmp_path, "bil", cube_values(), CENTRES))
    assert envi.metadata["interleave"] == "bil"
    assert envi.metadata["wavelength"].startswith("{420.000000, 450.000000")
    tiff = open_cube(write_cube(tmp_path, "tiff", cube_values()))
    assert tiff.metadata["ModelPixelScaleTag"] == "(30.0, 30.0, 0.0)"
    assert open_cube(write_cube(tmp_path, "mat73", cube_values())).metadata["format"] == "MATLAB v7.3"
    hdf5 = open_cube(write_cube(tmp_path, "h5", cube_values()))
    assert dict(hdf5.metadata) == {"units": "1", "key": "data/cube"}


def test_every_ending_has_a_reader() -> None:
    endings = "mat npy npz tif tiff exr h5 hdf5 nc hdr bsq bil bip img dat raw"
    assert {f".{ending}" for ending in endings.split()} <= set(READERS)
