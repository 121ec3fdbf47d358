"""MATLAB files: names of wavelengths, fields of structs, marks and complex values, in both kinds of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from datamodules.scenes.readers import MatCube, open_cube, read_mat
from tests.datamodules.fake_chikusei import fake_scene, write_matlab

CUBE = np.random.default_rng(2).integers(1, 4000, (5, 20, 24)).astype(np.int16)
PICTURE = CUBE.transpose(1, 2, 0)
CENTRES = (420.0, 450.0, 480.0, 510.5, 660.0)


def write(path: Path, version: str, **variables: Any) -> Path:  # noqa: ANN401
    """Save variables; `struct.field` becomes a field."""
    if version == "v5":
        nested: dict[str, Any] = {}
        for name, value in variables.items():
            struct, _, field = name.partition("__")
            if field:
                nested.setdefault(struct, {})[field] = value
            else:
                nested[name] = value
        scipy.io.savemat(path, nested)
        return path
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            file[name.replace("__", "/")] = np.asarray(value).T
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


@pytest.mark.parametrize("version", ["v5", "v7.3"])
@pytest.mark.parametrize("name", ["bands", "wl", "Wavelength", "lambda"])
@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_names_of_wavelengths(tmp_path: Path, version: str, name: str, unit: float) -> None:
    path = write(tmp_path / "a.mat", version, rad=PICTURE, **{name: np.array([CENTRES]) / unit})
    cube = open_cube(path)
    assert cube.wavelengths == CENTRES
    assert cube.stated is not None
    assert cube.stated.unit == unit


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_a_struct_beside_the_cube_describes_it(tmp_path: Path, version: str) -> None:
    facts = {
        "info__spectral": np.array([CENTRES]) / 1000,
        "info__wavelength": np.array([CENTRES]),
        "info__more": PICTURE,
    }
    cube = open_cube(write(tmp_path / "a.mat", version, rad=PICTURE, **facts), key="rad")
    assert (cube.wavelengths, cube.shape) == (CENTRES, CUBE.shape)
    if version == "v5":
        assert open_cube(tmp_path / "a.mat").metadata["key"] == "rad"


@pytest.mark.parametrize("bands", [np.arange(1, 6), np.array([3, 9, 17, 20, 44])])
def test_numbers_of_bands_are_no_wavelengths(tmp_path: Path, bands: Any) -> None:  # noqa: ANN401
    assert open_cube(write(tmp_path / "a.mat", "v5", rad=PICTURE, bands=bands[None])).wavelengths is None


@pytest.mark.parametrize("version", ["v5", "v7.3"])
@pytest.mark.parametrize("key", [None, "hsi.data", "hsi/data"])
def test_fields_of_structs(tmp_path: Path, version: str, key: str | None) -> None:
    facts = {"hsi__data": PICTURE, "hsi__wavelength": np.array([CENTRES]), "hsi__nodata": -9999}
    cube = open_cube(write(tmp_path / "a.mat", version, **facts), key=key)
    assert np.array_equal(cube.window(0, 0, 20, 24), CUBE)
    assert cube.wavelengths == CENTRES
    assert cube.marks.declared == (-9999.0,)
    with pytest.raises(
        ValueError, match=r"has no array 'hsi.other' \(numeric arrays: .*hsi\.data \(20, 24, 5\).*struct\.f"
    ):
        open_cube(tmp_path / "a.mat", key="hsi.other")


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_complex_values_are_refused(tmp_path: Path, version: str) -> None:
    path = write(tmp_path / "a.mat", version, cube=PICTURE + 0.5j)
    with pytest.raises(ValueError, match=r"holds complex\w* values where real numbers are expected"):
        open_cube(path).window(0, 0, 2, 2)
    with pytest.raises(ValueError, match="complex"):
        read_mat(path, "cube")


def test_complex_values_as_matlab_itself_saves_them(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["cube"] = np.zeros((5, 24, 20), [("real", "f8"), ("imag", "f8")])
    with pytest.raises(ValueError, match="holds complex values"):
        open_cube(tmp_path / "a.mat")


def test_damage_in_the_middle_of_a_compressed_file_is_named_when_it_is_read(tmp_path: Path) -> None:
    array = fake_scene(40, 40, 8)
    path = write_matlab(tmp_path / "a.mat", "cube", array, (8, 40, 40))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    path.write_bytes(content)
    cube = MatCube(path, "cube")
    for read in (cube.window, cube.maximum):
        with pytest.raises(ValueError, match=r"file .*a\.mat of \d+ bytes is truncated or is no MATLAB file"):
            read(0, 0, 40, 40)
