"""MATLAB files of any version behind one door, with the axes as MATLAB shows them."""

import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from scipy.io.matlab import MatReadError
from torch import Tensor

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.limits import MAX_BYTES, TooLargeError, check_bytes
from datamodules.scenes.facts.names import names_centres, names_unit
from datamodules.scenes.readers.hdf5_file import open_hdf5
from datamodules.scenes.readers.hdf5_links import OutsideError, is_numeric, own_data_sets, refuse_outside
from datamodules.scenes.readers.mat_elements import check_elements
from datamodules.scenes.readers.refusals import NotRealError, refuse_objects
from hyperalign.errors import InputError, MissingFileError

_NUMERIC = {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def read_mat(path: Path, key: str | None = None, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """Read one numeric array from a MATLAB file.

    MATLAB v4 to v7 files are read by scipy, v7.3 files, which are HDF5, by h5py. HDF5 shows MATLAB's axes in reverse
    order; here they are put right, so that the same array saved in both formats comes out the same.

    Args:
        path: the `.mat` file.
        key: name of the variable, `struct.field` (or `struct/field`) for a field; None takes the only three-dimensional
            numeric one.
        max_bytes: what the array may take in memory.

    Returns:
        The array with MATLAB's axes and the file's own type.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a truncated or foreign file, an unknown key, complex values, an array above the limit, or no key
            where several arrays could be meant.
    """
    if not path.is_file():
        raise MissingFileError(f"There is no MATLAB file {path}: check the path, or download it.")
    with reading(path):
        array = _read_hdf5(path, key, max_bytes) if h5py.is_hdf5(path) else _read_classic(path, key, max_bytes)
        refuse_objects(array.dtype, path)
    return array


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


class NoVariableError(InputError):
    """The file is sound but does not hold what was asked for."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever the two libraries answer to a damaged file into one sentence."""
    try:
        yield
    except (NoVariableError, TooLargeError, OutsideError, NotRealError):
        raise
    # They answer a cut file with errors of many kinds, according to where it has been cut.
    except (Exception, MatReadError, zlib.error) as error:
        raise_true_cause(path, error)
        raise InputError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    size = path.stat().st_size
    return f"The file {path} of {size} bytes is truncated or is no MATLAB file: download or save it again."


def hdf5_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every numeric array with MATLAB's axes; fields of structs as `struct.field`."""
    with open_hdf5(path) as file:
        return {
            name.replace("/", "."): tuple(reversed(item.shape))
            for name, item in own_data_sets(file)
            if is_numeric(item) and item.shape is not None
        }


def classic_shapes(path: Path, key: str | None = None) -> dict[str, tuple[int, ...]]:
    """Return the shape of every numeric array, from the headers alone; of fields as well where they may be meant.

    Args:
        path: a file of a version before v7.3.
        key: the variable that is asked for.
    """
    check_elements(path)
    variables = scipy.io.whosmat(path)
    shapes = {name: tuple(shape) for name, shape, kind in variables if kind in _NUMERIC}
    plain = any(len(shape) == 3 for shape in shapes.values()) if key is None else key in shapes
    if not plain:
        structs = [name for name, _, kind in variables if kind == "struct"]
        shapes |= {name: field.shape for name, field in _fields(path, structs).items()}
    elif not any(names_centres(name) for name in shapes) and path.stat().st_size < _LARGEST_DESCRIBED:
        # A struct beside the cube may describe it; a second cube in it is not meant, nor anything that is no array.
        structs = [name for name, size, kind in variables if kind == "struct" and math.prod(size) == 1]
        with suppress(Exception):
            shapes |= {name: field.shape for name, field in _fields(path, structs).items() if field.ndim < 3}
    return shapes


def unit_of(path: Path, centres: str) -> tuple[str, str] | None:
    """Return name and text of the variable that says the unit of the centres of the bands; None if there is none.

    Args:
        path: the file.
        centres: name of the variable of the centres, `struct.field` for a field.
    """
    above, _, field = centres.rpartition(".")
    for name, text in (_texts_hdf5(path, above) if h5py.is_hdf5(path) else _texts_classic(path, above)).items():
        if names_unit(name, field, bool(above)):
            return (f"{above}.{name}" if above else name), text
    return None


def _texts_hdf5(path: Path, above: str) -> dict[str, str]:
    """Texts of a struct, or of the file, by their names."""
    with open_hdf5(path) as file:
        group = file[hdf5_path(above)] if above else file
        items = {name: group.get(name) for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)}
        return {
            name: "".join(map(chr, np.asarray(item).ravel().tolist()))
            for name, item in items.items()
            if isinstance(item, h5py.Dataset)
            and item.attrs.get("MATLAB_class") == b"char"
            and item.dtype == np.uint16
            and item.size < _LONGEST_TEXT
        }


def _texts_classic(path: Path, above: str) -> dict[str, str]:
    top, *fields = above.split(".")
    names = [top] if top else [name for name, size, kind in scipy.io.whosmat(path) if kind == "char" and len(size) < 3]
    content: Any = scipy.io.loadmat(path, variable_names=names, simplify_cells=True)
    for field in [top, *fields] if top else []:
        content = content.get(field, {}) if isinstance(content, dict) else {}
    return (
        {name: value for name, value in content.items() if isinstance(value, str)} if isinstance(content, dict) else {}
    )


_LONGEST_TEXT, _LARGEST_DESCRIBED = 1 << 16, 1 << 28


def classic_types(path: Path) -> dict[str, np.dtype[Any]]:
    """Return the type of every numeric variable, as MATLAB has it."""
    names = {"double": "float64", "single": "float32", "logical": "uint8"}
    return {name: np.dtype(names.get(kind, kind)) for name, _, kind in scipy.io.whosmat(path) if kind in _NUMERIC}


def _fields(path: Path, structs: list[str]) -> dict[str, NDArray[Any]]:
    """The numeric fields of structs, of any depth, as `struct.field`."""
    if not structs:
        return {}
    found: dict[str, NDArray[Any]] = {}

    def visit(name: str, value: object) -> None:
        if isinstance(value, dict):
            for field, inner in value.items():
                visit(f"{name}.{field}", inner)
        elif isinstance(value, np.ndarray | np.generic | float | int) and np.issubdtype(
            (array := np.asarray(value)).dtype, np.number
        ):
            found[name] = array

    content = scipy.io.loadmat(path, variable_names=structs, simplify_cells=True)
    for name in structs:
        visit(name, content.get(name))
    return found


def _read_hdf5(path: Path, key: str | None, max_bytes: int) -> NDArray[Any]:
    name = choose(path, key, hdf5_shapes(path))
    with open_hdf5(path) as file:
        data = file[hdf5_path(name)]
        refuse_outside(path, data)
        check_bytes(path, data.shape, data.dtype, max_bytes, "whole")
        array: NDArray[Any] = np.asarray(data)
    return array.transpose()


def _read_classic(path: Path, key: str | None, max_bytes: int) -> NDArray[Any]:
    # The name comes from the headers, so that only the one array is decoded.
    shapes = classic_shapes(path, key)
    name = choose(path, key, shapes)
    types = classic_types(path)
    if name not in types:
        return _fields(path, [name.partition(".")[0]])[name]
    check_bytes(path, shapes[name], types[name], max_bytes, "whole")
    array: NDArray[Any] = np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    return array


def hdf5_path(name: str) -> str:
    """Return the path in a v7.3 file of a variable or of a field of a struct."""
    return name.replace(".", "/")


def choose(path: Path, key: str | None, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return the name of the array that is meant."""
    cubes = [name for name, shape in shapes.items() if len(shape) == 3]
    if key is None and len(cubes) == 1:
        return cubes[0]
    asked_for = None if key is None else key.strip("/").replace("/", ".")
    if not shapes:
        raise NoVariableError(
            f"The file {path} has no numeric array, nor a struct with one (cells and arrays of structs are not looked "
            "into): save the cube as one array of numbers."
        )
    if asked_for is None or asked_for not in shapes:
        listed = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:12])
        asked = "no single cube" if key is None else f"no array {key!r}"
        raise NoVariableError(
            f"The file {path} has {asked} (numeric arrays: {listed}): name one of them as the key, a field of a struct "
            "as struct.field."
        )
    return asked_for
