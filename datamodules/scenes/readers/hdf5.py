"""HDF5 and netCDF-4 files, one data set by its key, read by windows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.missing import Missing, declared_marks, valid_range
from datamodules.scenes.facts.names import (
    bad_bands,
    is_plain_list_of_bands,
    names_centres,
    names_good_bands,
    names_missing,
)
from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import are_numbers_of_bands, centres_from_user, stated_centres
from datamodules.scenes.readers.cube_file import CubeFile, take
from datamodules.scenes.readers.hdf5_file import open_hdf5
from datamodules.scenes.readers.hdf5_links import is_numeric, own_data_sets, refuse_outside
from datamodules.scenes.readers.refusals import refuse_objects
from hyperalign.errors import InputError, MissingFileError


class Hdf5Cube(CubeFile):
    """A three-dimensional data set of an HDF5 or netCDF-4 file, of which windows are read.

    Its wavelengths are an attribute of the data set, a data set anywhere in the file (`wavelength`,
    `sensor_band_parameters/wavelengths`, ...), or a list of the attributes (`List_Cw_Vnir` of PRISMA's `VNIR_Cube`,
    where 0 stands for bands that are not usable).
    `_FillValue`, `missing_value` and a fill value of the data set's own mark missing values, or a mark that its group
    states where it has none; what lies outside of its `valid_range` is missing too. Values are as stored: scale factors
    stay in the metadata. Links into other files are never followed.

    Args:
        path: the file.
        key: path of the data set, as `group/name`, or its end where that is one data set's alone; None takes the only
            three-dimensional one.
        axes: see `datamodules.scenes.readers.axes`; None tells them from the wavelengths or the sizes.
        wavelengths: takes the place of the file's.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, an unknown key, complex values, values in another file, or axes that cannot be
            told.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        if not path.is_file():
            raise MissingFileError(f"There is no HDF5 file {path}: check the path, or download it.")
        given = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        with _opened(path) as file:
            shapes = _shapes(file)
            self.key = _chosen(path, key, shapes)
            data = file[self.key]
            refuse_outside(path, data)
            shape, dtype = shapes[self.key], np.dtype(data.dtype)
            stated = None if given else _stated(file, self.key, shape)
            unlit: tuple[int, ...] = ()
            if stated is not None and stated[0].startswith("/@"):
                unlit = tuple(band for band, centre in enumerate(stated[1]) if centre == 0)
                stated = stated[0], _continued(stated[1]), stated[2]
            metadata = {name: _text(value) for name, value in data.attrs.items() if _is_plain(value)}
            marks, valid = _marks(file, data), valid_range(data.attrs, dtype)
            flags = _flags(file)
        refuse_objects(dtype, path)
        what = f"the data set {self.key!r} in {path}"
        known = given or (stated[1] if stated else None)
        self.order = axis_order(shape, axes, None, len(known) if known else None, what)
        sizes = (shape[self.order[0]], shape[self.order[1]], shape[self.order[2]])
        centres = None
        if stated is not None:
            centres = stated_centres(stated[1], sizes[0], f"The data set {self.key!r} in {path}", stated[2])
        super().__init__(path, sizes, dtype, centres.nanometres if centres else given, {**metadata, "key": self.key})
        self.stated = centres
        self.centres_name = stated[0] if stated else None
        self.marks = Missing(marks, word="_FillValue", valid=valid)
        self.bad_bands = next((bad for stated in flags if (bad := bad_bands(stated, sizes[0]))), unlit)

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        with _opened(self.path) as file:
            return take(file[self.key], self.order, rows, columns)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file and turn what HDF5 answers to damage into one sentence."""
    try:
        with path.open("rb") as raw:
            start = raw.read(4)
        if start[:3] == b"CDF":
            raise InputError(
                f"The file {path} is a classic netCDF file: convert it to netCDF-4 with `nccopy -k nc4` and try again."
            )
        file = open_hdf5(path)
    except OSError as error:
        raise_true_cause(path, error)
        raise InputError(_damaged(path)) from error
    with file:
        try:
            yield file
        # Damage within the file is met as an error of nearly any kind.
        except (OSError, RuntimeError, KeyError, TypeError, SystemError, MemoryError, UnicodeError) as error:
            raise_true_cause(path, error)
            raise InputError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return f"The file {path} of {path.stat().st_size} bytes is truncated or is no HDF5 file: download or save it again."


def _shapes(file: Any) -> dict[str, tuple[int, ...]]:  # noqa: ANN401
    """Shape of every numeric data set of the whole file by its path."""
    return {
        name: tuple(item.shape) for name, item in own_data_sets(file) if is_numeric(item) and item.shape is not None
    }


def _chosen(path: Path, key: str | None, shapes: dict[str, tuple[int, ...]]) -> str:
    """Return the path of the data set that is meant."""
    cubes = [name for name, shape in shapes.items() if len(shape) == 3]
    if key is None and len(cubes) == 1:
        return cubes[0]
    name = None if key is None else key.strip("/")
    if name is not None and name not in shapes:
        # The end of a long path is enough where it is one data set's alone: `VNIR_Cube`.
        ends = [whole for whole in shapes if whole.endswith(f"/{name}")]
        name = ends[0] if len(ends) == 1 else name
    if not shapes:
        raise InputError(
            f"The file {path} has no data set of plain numbers, as tables of named fields are none: save the cube as "
            "one array of numbers."
        )
    if name is None or name not in shapes:
        listed = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:8])
        asked = "no single cube" if key is None else f"no data set {key!r}"
        raise InputError(f"The file {path} has {asked} (numeric data sets: {listed}): name one of them as the key.")
    return name


def _marks(file: Any, data: Any) -> tuple[float, ...]:  # noqa: ANN401
    """Marks of missing values: attributes of the data set, or a fill value that its writer chose; else its groups'."""
    found = _stated_marks(data.attrs)
    if data.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
        # A plain 0 is every writer's habit and declares nothing.
        found += [mark for mark in declared_marks(data.fillvalue) if mark != 0]
    group = data.parent
    while not found:
        single = {
            name: item[()]
            for name, item in group.items()
            if names_missing(name) and isinstance(item, h5py.Dataset) and is_numeric(item) and item.size == 1
        }
        found = _stated_marks(group.attrs) + _stated_marks(single)
        if group == file["/"]:
            break
        group = group.parent
    return tuple(dict.fromkeys(found))


def _stated_marks(stated: Mapping[str, Any]) -> list[float]:
    return [mark for name, value in stated.items() if names_missing(name) for mark in declared_marks(value)]


def _flags(file: Any) -> list[list[float]]:  # noqa: ANN401
    """Lists of good and bad bands anywhere in the file."""
    return [
        np.asarray(item).ravel().tolist()
        for name, item in own_data_sets(file)
        if names_good_bands(name.rpartition("/")[2]) and is_numeric(item) and len(item.shape or ()) == 1
    ]


def _stated(file: Any, key: str, shape: tuple[int, ...]) -> tuple[str, list[float], str] | None:  # noqa: ANN401
    """Where the file states the centres of its bands, one per position of an axis; they; its word for their unit."""
    data = file[key]
    for name, value in data.attrs.items():
        if names_centres(name) and (found := _list(value, shape, name)):
            return "@" + name, found, _unit(data.attrs, "wavelength_units", "wavelength units")
    group = key.rpartition("/")[0]
    places = [(name, item) for name, item in own_data_sets(file) if names_centres(name.rpartition("/")[2])]
    # Those of the own group first, then those near the root; what may be the bands' numbers last.
    places.sort(
        key=lambda place: (
            is_plain_list_of_bands(place[0].rpartition("/")[2]),
            place[0].rpartition("/")[0] != group,
            place[0].count("/"),
        )
    )
    for name, item in places:
        if name != key and (found := _list(item, shape, name)):
            return name, found, _unit(item.attrs, "units", "unit", "Units")
    group = data.parent
    while True:
        for name, value in group.attrs.items():
            if names_centres(name) and (found := _list(value, shape, name)):
                return "/@" + name, found, _unit(group.attrs, "wavelength_units", "wavelength units", f"{name}_units")
        if group == file["/"]:
            return _listed(file, key, shape)
        group = group.parent


def _listed(file: Any, key: str, shape: tuple[int, ...]) -> tuple[str, list[float], str] | None:  # noqa: ANN401
    """Centres in a list of the root's attributes that is named for the data set, as PRISMA's `List_Cw_Vnir`."""
    part = re.split(r"[_\W]", key.rpartition("/")[2].lower())[0]
    lists = {name: value for name, value in file.attrs.items() if name.lower().startswith("list_cw")}
    for name, value in lists.items():
        if name.lower().rpartition("_")[2] == part and (found := _list(value, shape, name)):
            return "/@" + name, found, ""
    return None


def _continued(centres: Sequence[float]) -> list[float]:
    """Return PRISMA's centres with those of its unused bands, 0 at an end of the list, in their neighbours' steps."""
    filled = list(centres)
    for numbers in (range(len(filled)), range(len(filled) - 1, -1, -1)):
        order = list(numbers)
        for place, band in enumerate(order):
            before = [filled[order[other]] for other in (place - 1, place - 2) if other >= 0]
            if filled[band] == 0 and len(before) == 2 and all(before):
                filled[band] = round(2 * before[0] - before[1], 6)
    return filled


def _list(item: Any, shape: tuple[int, ...], name: str) -> list[float] | None:  # noqa: ANN401
    """Return numbers, one for each position of one of the axes; None for anything else."""
    if isinstance(item, str | bytes):
        item = np.array(declared_marks(item))
    size = getattr(item, "size", None)
    if size is None and not isinstance(item, list | tuple):
        return None
    outside = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
    if outside or (size is not None and size not in shape):
        return None
    values = np.asarray(item).ravel()
    if values.size not in shape or values.size < 1 or not np.issubdtype(values.dtype, np.number):
        return None
    numbers = [float(value) for value in values]
    selected = is_plain_list_of_bands(name.rpartition("/")[2])
    return None if are_numbers_of_bands(numbers, selected) else numbers


def _unit(attributes: Mapping[str, Any], *names: str) -> str:
    return next((_text(attributes[name]) for name in names if name in attributes), "")


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bytes) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iufSU"
    )


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value.tolist() if isinstance(value, np.ndarray) else value)
