"""NumPy files are mapped or read by key, and never unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers.numpy_file import NpyCube, NpzCube
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values
from tests.datamodules.scenes.readers.refused import refused


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[{}]]], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npy", "holds pickled objects, which are never loaded")
    np.save(tmp_path / "a.npy", np.zeros((2, 9, 9), complex))
    refused(tmp_path / "a.npy", "holds complex128 values where real numbers are expected")


@pytest.mark.parametrize("axes", ["CHW", "HWC", "HCW"])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_any_order_of_axes_and_of_memory_is_the_same_cube(tmp_path: Path, axes: str, kind: str) -> None:
    values = cube_values(4, 6, 7)
    stored = np.asfortranarray(values.transpose(["CHW".index(axis) for axis in axes])).astype(">u2")
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, stored)
        cube: NpyCube | NpzCube = NpyCube(path, axes=axes)
    else:
        np.savez_compressed(path, allow_pickle=False, cube=stored)
        cube = NpzCube(path, axes=axes)
    window = cube.window(1, 2, 3, 4)
    assert np.array_equal(window, values[:, 1:4, 2:6])
    assert window.dtype.isnative


def test_what_stands_beside_the_cube_of_an_archive(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", allow_pickle=False, cube=cube_values(), wavelength=np.array(CENTRES) / 1000,
        nodata=np.array([7.0]), bbl=np.array([1, 1, 0, 1, 1]),
    )  # fmt: skip
    cube = NpzCube(tmp_path / "a.npz")
    assert cube.key == "cube"
    assert cube.wavelengths == tuple(CENTRES)
    assert cube.stated is not None
    assert cube.stated.unit == 1000.0
    assert (cube.marks.declared, cube.bad_bands) == ((7.0,), (2,))
    assert cube.array("bbl").tolist() == [1, 1, 0, 1, 1]
    assert NpzCube(tmp_path / "a.npz", wavelengths=[1000.0, 900.0, 800.0, 700.0, 600.0]).stated is None


def test_numbers_of_bands_are_no_wavelengths_in_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", allow_pickle=False, cube=cube_values(), bands=np.arange(1, 6))
    assert NpzCube(tmp_path / "a.npz").wavelengths is None


def test_an_archive_under_the_name_of_an_array_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", allow_pickle=False, cube=cube_values())
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(ValueError, match=r"a\.npy is an archive of arrays: rename it to \.npz"):
        NpyCube(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError, match=r"^There is no NumPy file .*b\.npz: check the path"):
        NpzCube(tmp_path / "b.npz")
