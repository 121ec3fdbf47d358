"""NumPy files: `.npy` through a memory map, `.npz` by key; pickled objects are never loaded."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_user
from datamodules.scenes.readers.cube_file import CubeFile, take
from datamodules.scenes.readers.decoded import DecodedCube
from datamodules.scenes.readers.refusals import refuse_key, refuse_objects
from hyperalign.errors import InputError, MissingFileError


class NpyCube(CubeFile):
    """A `.npy` file, mapped and not read.

    Args:
        path: the file.
        key: must be None, as the file holds one array.
        axes: see `datamodules.scenes.readers.axes`; None tells them from the sizes.
        wavelengths: centres of the bands in nm; the file has none.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, one of pickled objects, or axes that cannot be told.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        refuse_key(path, key, "a .npy file holds one array")
        array = _load(path)
        if not isinstance(array, np.ndarray):
            raise InputError(f"The file {path} is an archive of arrays: rename it to .npz and name one by its key.")
        refuse_objects(array.dtype, path)
        centres = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        self.order = axis_order(array.shape, axes, None, len(centres) if centres else None, f"the array in {path}")
        shape = (array.shape[self.order[0]], array.shape[self.order[1]], array.shape[self.order[2]])
        super().__init__(path, shape, array.dtype, centres)

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        array = _load(self.path)
        return take(array, self.order, rows, columns)


class NpzCube(DecodedCube):
    """One array of a `.npz` archive.

    Args:
        path: the file.
        key: name of the array; None takes the only three-dimensional one.
        axes: see `datamodules.scenes.readers.axes`; None tells them from the sizes.
        wavelengths: centres of the bands in nm; None takes an array `wavelengths` of the archive, if there is one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, an unknown key, one of pickled objects, or axes that cannot be told.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        arrays = _arrays(path)
        cubes = [name for name, (shape, _) in arrays.items() if len(shape) == 3]
        self.key = key if key is not None else cubes[0] if len(cubes) == 1 else ""
        if self.key not in arrays:
            listed = ", ".join(f"{name} {shape}" for name, (shape, _) in arrays.items()) or "none"
            asked = "no single cube" if key is None else f"no array {key!r}"
            raise InputError(f"The file {path} has {asked} (arrays: {listed}): name one of them as the key.")
        shape, dtype = arrays[self.key]
        refuse_objects(dtype, path)
        self.axes = axes
        centres = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        if centres is None and "wavelengths" in arrays:
            centres = centres_from_user(_member(path, "wavelengths").ravel().tolist(), str(path))
        self.order = axis_order(
            shape, axes, None, len(centres) if centres else None, f"the array {self.key!r} in {path}"
        )
        sizes = (shape[self.order[0]], shape[self.order[1]], shape[self.order[2]])
        super().__init__(path, sizes, dtype, centres, {"key": self.key})

    def _decode(self) -> NDArray[Any]:
        return _member(self.path, self.key).transpose(self.order)

    def _identity(self) -> tuple[object, ...]:
        return self.key, self.order


def _arrays(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of every array of an archive, from the headers alone."""
    if not path.is_file():
        raise MissingFileError(f"There is no NumPy file {path}: check the path, or download it.")
    found: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    first = np.lib.format.read_magic(file) == (1, 0)
                    header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
                    shape, _, dtype = header(file)
                found[member.removesuffix(".npy")] = (tuple(shape), dtype)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(_damaged(path)) from error
    return found


def _member(path: Path, key: str) -> NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: NDArray[Any] = archive[key]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(_damaged(path)) from error
    return array


def _load(path: Path) -> Any:  # noqa: ANN401
    if not path.is_file():
        raise MissingFileError(f"There is no NumPy file {path}: check the path, or download it.")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise InputError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    size = path.stat().st_size
    return (
        f"The file {path} of {size} bytes is truncated, is no NumPy file or holds pickled objects, which are never "
        "loaded: save it again as an array of numbers."
    )
