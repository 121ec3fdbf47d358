"""Both MATLAB formats through one door."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from numpy.typing import NDArray

from datamodules.scenes.readers import read_mat, read_mat_cube


@pytest.fixture
def array() -> NDArray[np.float64]:
    return np.random.default_rng(0).random((4, 5, 3))


def _write(path: Path, version: str, **arrays: NDArray[Any]) -> Path:
    """Save arrays as MATLAB does: v7.3 is HDF5 with reversed axes behind a text header of 512 bytes."""
    if version == "v7.3":
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, value in arrays.items():
                file[name] = value.transpose()
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file".ljust(512, b"\0"))
    else:
        scipy.io.savemat(path, arrays, do_compression=version == "v7")
    return path


@pytest.mark.parametrize("version", ["v5", "v7", "v7.3"])
def test_axes_come_out_as_matlab_shows_them(tmp_path: Path, version: str, array: NDArray[np.float64]) -> None:
    path = _write(tmp_path / "a.mat", version, cube=array, mask=array[..., 0])
    assert np.array_equal(read_mat(path, "cube"), array)
    assert np.array_equal(read_mat(path), array)
    assert np.array_equal(read_mat(path, "mask"), array[..., 0])
    cube = read_mat_cube(path, full_scale=2.0)
    assert cube.dtype == torch.float32
    assert torch.equal(cube, torch.from_numpy((array / 2).astype(np.float32)).permute(2, 0, 1))


def test_hdf5_without_the_text_header_is_read_too(tmp_path: Path, array: NDArray[np.float64]) -> None:
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["rad"] = array.transpose()
    assert np.array_equal(read_mat(tmp_path / "a.mat", "rad"), array)


@pytest.mark.parametrize("version", ["v5", "v7", "v7.3"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.98])
def test_a_truncated_file_is_named(tmp_path: Path, version: str, share: float) -> None:
    path = _write(tmp_path / "a.mat", version, cube=np.random.default_rng(0).random((20, 20, 8)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=r"file .*a\.mat of \d+ bytes is truncated or is no MATLAB file"):
        read_mat(path, "cube")


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"<html>not found</html>" * 20)
    with pytest.raises(ValueError, match="is truncated or is no MATLAB file"):
        read_mat(tmp_path / "a.mat")


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_an_unknown_key_lists_what_there_is(tmp_path: Path, version: str, array: NDArray[np.float64]) -> None:
    path = _write(tmp_path / "a.mat", version, one=array, two=array)
    with pytest.raises(ValueError, match=r"has no array 'ref' .*one .*two .*name one of them as the key"):
        read_mat(path, "ref")
    with pytest.raises(ValueError, match="has no single cube"):
        read_mat(path)


def test_a_plane_is_no_cube(tmp_path: Path, array: NDArray[np.float64]) -> None:
    path = _write(tmp_path / "a.mat", "v5", mask=array[..., 0])
    with pytest.raises(ValueError, match=r"array 'mask' in .* has shape \(4, 5\) where height x width x bands"):
        read_mat_cube(path, "mask")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no MATLAB file .*absent\.mat"):
        read_mat(tmp_path / "absent.mat")


def test_one_real_array_in_both_formats(shared: Path) -> None:
    folder = shared / "data" / "PaviaCentre_crop"
    classic, hdf5 = read_mat(folder / "v5" / "Pavia.mat", "data"), read_mat(folder / "v7.3" / "pavia.mat", "data")
    assert classic.shape == (100, 100, 102)
    assert np.array_equal(classic, hdf5)
