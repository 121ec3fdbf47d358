"""Files that are not what they should be: one sentence each."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from datamodules.scenes.readers import open_cube
from tests.datamodules.fake_chikusei import write_envi, write_matlab
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube
from tests.datamodules.scenes.readers.refused import refused


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "png"])
def test_a_truncated_file(tmp_path: Path, kind: str, share: float) -> None:
    path = write_cube(tmp_path, kind, cube_values(5, 40, 50))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ValueError, match=r"cube\..* of \d+ bytes is truncated"):
        open_cube(path).window(0, 0, 40, 50)


def test_a_truncated_picture(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "png", cube_values()) / "scene_03.png"
    path.write_bytes(path.read_bytes()[:60])
    refused(path.parent, r"scene_03\.png of 60 bytes is truncated")


def test_version_7_3_with_another_key(tmp_path: Path) -> None:
    path = write_matlab(tmp_path / "a.mat", "cube", cube_values())
    refused(path, r"a\.mat has no array 'rad' \(numeric arrays: cube \(5, 12, 15\)\): name one of them", key="rad")


def test_hdf5_and_archives_with_another_key(tmp_path: Path) -> None:
    refused(write_cube(tmp_path, "h5", cube_values()), r"has no data set 'rad' \(.*data/cube \(12, 15, 5\)", key="rad")
    refused(write_cube(tmp_path, "npz", cube_values()), r"has no array 'rad' \(arrays: cube .*mask", key="rad")
    np.savez(tmp_path / "two.npz", a=cube_values(), b=cube_values())
    refused(tmp_path / "two.npz", "has no single cube")


def test_a_header_without_a_wavelength_for_each_band(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_values().transpose(1, 2, 0), CENTRES[:3])
    refused(path, r"a\.hdr has no wavelength for each of its 5 bands: .* give `wavelengths`")


def test_classic_netcdf(tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_bytes(b"CDF\x01" + bytes(40))
    refused(tmp_path / "a.nc", "classic netCDF file: convert it to netCDF-4 with `nccopy -k nc4`")


def test_a_file_of_text_behind_every_ending(tmp_path: Path) -> None:
    for ending in ("mat", "npy", "npz", "tif", "exr", "h5", "nc"):
        (tmp_path / f"a.{ending}").write_bytes(b"<html>not found</html>" * 20)
        refused(tmp_path / f"a.{ending}", r"a\.\w+ of 440 bytes is truncated")


def test_what_is_not_there_or_has_no_reader(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file or folder .*absent\.mat"):
        open_cube(tmp_path / "absent.mat")
    (tmp_path / "a.jpg").write_bytes(b"")
    refused(tmp_path / "a.jpg", r"The ending of .*a\.jpg belongs to no known format \(\.mat, \.npy")


def test_coordinates_of_another_number_of_bands_are_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = cube_values()
        file["wavelength"] = np.arange(400.0, 624.0)
    assert open_cube(tmp_path / "a.h5").wavelengths is None


@pytest.mark.parametrize("key", [None, "cube"])
def test_a_file_without_an_array_asks_for_no_key(tmp_path: Path, key: str | None) -> None:
    table = np.zeros((4, 5), dtype=[("red", "f4"), ("green", "f4")])
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["cube"] = table
    cell = np.empty(1, dtype=object)
    cell[0] = cube_values()
    savemat(tmp_path / "cell.mat", {"cube": cell})
    np.savez(tmp_path / "empty.npz")
    for name in ("table.h5", "cell.mat", "empty.npz"):
        with pytest.raises(ValueError, match=rf"{name} has no (data set|numeric array|array).*: save the cube") as told:
            open_cube(tmp_path / name, key=key)
        assert "name one of them" not in str(told.value)
