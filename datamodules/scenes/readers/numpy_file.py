"""NumPy files: `.npy` through a memory map, `.npz` by key; pickled objects are never loaded."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.missing import Missing, declared_marks
from datamodules.scenes.facts.names import (
    bad_bands,
    is_plain_list_of_bands,
    names_centres,
    names_good_bands,
    names_missing,
    names_unit,
)
from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import are_numbers_of_bands, centres_from_user, stated_centres
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
        wavelengths: centres of the bands in nm; None takes an array of the archive that is named for them
            (`datamodules.scenes.facts.names`) and has one for each band.

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
        if not arrays:
            raise InputError(f"The file {path} has no array: save the cube into it again.")
        if self.key not in arrays:
            listed = ", ".join(f"{name} {shape}" for name, (shape, _) in arrays.items())
            asked = "no single cube" if key is None else f"no array {key!r}"
            raise InputError(f"The file {path} has {asked} (arrays: {listed}): name one of them as the key.")
        shape, dtype = arrays[self.key]
        refuse_objects(dtype, path)
        self.axes = axes
        centres = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        self.shapes = {name: size for name, (size, _) in arrays.items()}
        self.centres_name, stated = (None, None) if centres else _stated(path, arrays, shape)
        known = centres or stated
        self.order = axis_order(shape, axes, None, len(known) if known else None, f"the array {self.key!r} in {path}")
        sizes = (shape[self.order[0]], shape[self.order[1]], shape[self.order[2]])
        found, unit = None, None
        if stated is not None:
            unit = _unit(path, arrays, str(self.centres_name))
            found = stated_centres(
                stated, sizes[0], f"The array {self.centres_name!r} in {path}", unit[1] if unit else ""
            )
        super().__init__(path, sizes, dtype, found.nanometres if found else centres, {"key": self.key})
        self.stated, self.unit_beside = found, unit
        single = [name for name, (size, _) in arrays.items() if names_missing(name) and np.prod(size) == 1]
        self.marks = Missing(
            tuple(mark for name in single for mark in declared_marks(_member(path, name))), word="fill value"
        )
        flags = [
            _member(path, name).ravel().tolist()
            for name, (size, _) in arrays.items()
            if names_good_bands(name) and np.prod(size) in sizes
        ]
        self.bad_bands = next((bad for given in flags if (bad := bad_bands(given, sizes[0]))), ())

    def array(self, name: str) -> NDArray[Any]:
        """Return another array of the archive.

        Raises:
            ValueError: if it is damaged.
        """
        return _member(self.path, name)

    def _decode(self) -> NDArray[Any]:
        return _member(self.path, self.key).transpose(self.order)

    def _identity(self) -> tuple[object, ...]:
        return self.key, self.order


def _stated(
    path: Path, arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]], lengths: Sequence[int]
) -> tuple[str | None, list[float] | None]:
    """The array that states the centres of the bands, and its numbers."""
    for name in sorted(arrays, key=is_plain_list_of_bands):
        size, dtype = arrays[name]
        count = int(np.prod(size))
        if names_centres(name) and count in lengths and max(size, default=1) == count and dtype.kind in "iuf":
            numbers = [float(value) for value in _member(path, name).ravel()]
            if not are_numbers_of_bands(numbers, is_plain_list_of_bands(name)):
                return name, numbers
    return None, None


def _unit(
    path: Path, arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]], centres: str
) -> tuple[str, str] | None:
    """The array that holds the word for the unit of the centres, and the word."""
    for name, (size, dtype) in arrays.items():
        if names_unit(name, centres) and dtype.kind in "US" and np.prod(size) == 1:
            word = _member(path, name).ravel()[0]
            return name, word.decode(errors="replace") if isinstance(word, bytes) else str(word)
    return None


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
    # A damaged archive is answered with errors of nearly any kind.
    except Exception as error:
        raise_true_cause(path, error)
        raise InputError(_damaged(path)) from error
    return found


def _member(path: Path, key: str) -> NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: NDArray[Any] = archive[key]
    # A damaged archive is answered with errors of nearly any kind.
    except Exception as error:
        raise_true_cause(path, error)
        raise InputError(_damaged(path)) from error
    return array


def _load(path: Path) -> Any:  # noqa: ANN401
    if not path.is_file():
        raise MissingFileError(f"There is no NumPy file {path}: check the path, or download it.")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise_true_cause(path, error)
        raise InputError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    size = path.stat().st_size
    return (
        f"The file {path} of {size} bytes is truncated, is no NumPy file or holds pickled objects, which are never "
        "loaded: save it again as an array of numbers."
    )
