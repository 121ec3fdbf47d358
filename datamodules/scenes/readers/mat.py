"""MATLAB files of any version behind one door, with the axes as MATLAB shows them."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from scipy.io.matlab import MatReadError
from torch import Tensor

from hyperalign.errors import HyperalignError, InputError, MissingFileError


def read_mat(path: Path, key: str | None = None) -> NDArray[Any]:
    """Read one numeric array from a MATLAB file.

    MATLAB v4 to v7 files are read by scipy, v7.3 files, which are HDF5, by h5py. HDF5 shows MATLAB's axes in reverse
    order; here they are put right, so that the same array saved in both formats comes out the same.

    Args:
        path: the `.mat` file.
        key: name of the variable; None takes the only three-dimensional numeric one.

    Returns:
        The array with MATLAB's axes and the file's own type.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a truncated or foreign file, an unknown key, or no key where several arrays could be meant.
    """
    if not path.is_file():
        raise MissingFileError(f"There is no MATLAB file {path}: check the path, or download it.")
    with reading(path):
        return _read_hdf5(path, key) if h5py.is_hdf5(path) else _read_classic(path, key)


def read_mat_cube(path: Path, key: str | None = None, full_scale: float = 1.0) -> Tensor:
    """Read a cube that MATLAB holds as height x width x bands.

    Args:
        path: the `.mat` file.
        key: name of the variable; None takes the only three-dimensional numeric one.
        full_scale: what the values are divided by.

    Returns:
        `C x H x W`, float32.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: as `read_mat`, or if the array is not three-dimensional.
    """
    array = read_mat(path, key)
    if array.ndim != 3:
        raise InputError(
            f"The array {key!r} in {path} has shape {array.shape} where height x width x bands is expected: "
            "name another variable."
        )
    scaled = array.transpose(2, 0, 1) / full_scale
    return torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32))


class NoVariableError(HyperalignError, ValueError):
    """The file is sound but does not hold what was asked for."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever the two libraries answer to a damaged file into one sentence."""
    try:
        yield
    except NoVariableError:
        raise
    # They answer a cut file with errors of many kinds, according to where it has been cut.
    except (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, RuntimeError, MemoryError) as error:
        raise InputError(_damaged(path)) from error
    except (MatReadError, zlib.error) as error:
        raise InputError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    size = path.stat().st_size
    return f"The file {path} of {size} bytes is truncated or is no MATLAB file: download or save it again."


def hdf5_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every numeric array with MATLAB's axes."""
    with h5py.File(path, "r") as file:
        return {
            name: tuple(reversed(item.shape))
            for name, item in file.items()
            if isinstance(item, h5py.Dataset) and np.issubdtype(item.dtype, np.number)
        }


def classic_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every numeric array, from the headers alone."""
    numeric = {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
    return {name: tuple(shape) for name, shape, kind in scipy.io.whosmat(path) if kind in numeric}


def _read_hdf5(path: Path, key: str | None) -> NDArray[Any]:
    name = choose(path, key, hdf5_shapes(path))
    with h5py.File(path, "r") as file:
        array: NDArray[Any] = np.asarray(file[name])
    return array.transpose()


def _read_classic(path: Path, key: str | None) -> NDArray[Any]:
    # The name comes from the headers, so that only the one array is decoded.
    name = choose(path, key, classic_shapes(path))
    array: NDArray[Any] = np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    return array


def choose(path: Path, key: str | None, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return the name of the array that is meant."""
    cubes = [name for name, shape in shapes.items() if len(shape) == 3]
    if key is None and len(cubes) == 1:
        return cubes[0]
    if key is None or key not in shapes:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
        asked = "no single cube" if key is None else f"no array {key!r}"
        raise NoVariableError(f"The file {path} has {asked} (numeric arrays: {listed}): name one of them as the key.")
    return key
