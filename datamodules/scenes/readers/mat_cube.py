"""Cubes in MATLAB files, read by windows where the version allows."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.missing import Missing, declared_marks
from datamodules.scenes.facts.names import (
    bad_bands,
    is_plain_list_of_bands,
    names_centres,
    names_good_bands,
    names_missing,
)
from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import Centres, are_numbers_of_bands, centres_from_user, stated_centres
from datamodules.scenes.readers.cube_file import largest_of, take
from datamodules.scenes.readers.decoded import DecodedCube
from datamodules.scenes.readers.hdf5_file import open_hdf5
from datamodules.scenes.readers.hdf5_links import refuse_outside
from datamodules.scenes.readers.mat import (
    choose,
    classic_shapes,
    classic_types,
    hdf5_path,
    hdf5_shapes,
    read_mat,
    reading,
    unit_of,
)
from datamodules.scenes.readers.refusals import refuse_objects
from hyperalign.errors import InputError, MissingFileError


class MatCube(DecodedCube):
    """A cube in a MATLAB file of any version.

    Of a v7.3 file only the chunks under a window are read; older formats cannot be read in part, so the array is
    decoded at the first window. A matrix of bands x pixels (Jasper Ridge) is a cube if the file also holds its sides
    as `nRow` and `nCol`: MATLAB counts its pixels down the columns.

    Args:
        path: the `.mat` file.
        key: name of the variable, `struct.field` for a field of a struct; None takes the only cube.
        axes: its axes as MATLAB shows them; None is `HWC`, refused where the sizes speak against it.
        wavelengths: centres of the bands in nm; None takes a variable or field of the file that is named for them
            (`datamodules.scenes.facts.names`) and has one for each band.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a truncated or foreign file, an unknown key, an array that is no cube, or exchanged axes.
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
            raise MissingFileError(f"There is no MATLAB file {path}: check the path, or download it.")
        with reading(path):
            self.hdf5 = bool(h5py.is_hdf5(path))
            shapes = hdf5_shapes(path) if self.hdf5 else classic_shapes(path, key)
            self._sides = _sides(path, shapes)
            self.key = _chosen(path, key, shapes, self._sides)
            dtype = self._type_of(path)
            marks = _marks(path, shapes)
            lists = [
                name for name, size in shapes.items() if names_good_bands(_field(name)) and np.prod(size) == max(size)
            ]
            flags = [read_mat(path, name).ravel().tolist() for name in lists]
        refuse_objects(dtype, path)
        shape, what = shapes[self.key], f"the array {self.key!r} in {path}"
        centres = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        folded = _folded(shape, self._sides)
        if folded is None and len(shape) != 3:
            raise InputError(
                f"The array {self.key!r} in {path} has shape {shape} where height x width x bands is expected: name "
                "another variable, or use the original file."
            )
        if folded is None:
            stated = None if centres else _stated(path, shapes, shape, self.key)
            known = centres or (stated[1].nanometres if stated else None)
            self.order = axis_order(shape, axes, "HWC", len(known) if known else None, what)
            sizes = (shape[self.order[0]], shape[self.order[1]], shape[self.order[2]])
        else:
            self.order, sizes = (0, 1, 2), folded
            axis_order(sizes, "CHW", None, len(centres) if centres else None, what)
        self.matrix = folded is not None
        stated = None if centres else _stated(path, shapes, sizes[:1], self.key)
        version = "v7.3" if self.hdf5 else "v5"
        super().__init__(
            path,
            sizes,
            dtype,
            stated[1].nanometres if stated else centres,
            {"key": self.key, "format": f"MATLAB {version}"},
        )
        self.marks = Missing(marks, word="fill value")
        self.bad_bands = next((bad for stated in flags if (bad := bad_bands(stated, sizes[0]))), ())
        self.shapes = shapes
        self.centres_name = stated[0] if stated else None
        if stated is not None:
            self.stated, self.unit_beside = stated[1:]

    def maximum(self, row: int, column: int, height: int, width: int) -> float:
        """Return the largest value in a window that is not missing; of a v7.3 file each chunk is read once.

        Raises:
            ValueError: if the window leaves the cube, or the file is damaged there.
        """
        if not self.hdf5 or self.matrix:
            return super().maximum(row, column, height, width)
        self._check_window(row, column, height, width)
        area: list[slice] = [slice(0, self.shape[0])] * 3
        reverse = self._reverse()
        area[reverse[1]], area[reverse[2]] = slice(row, row + height), slice(column, column + width)
        with reading(self.path), open_hdf5(self.path) as file:
            parts = _parts(file[hdf5_path(self.key)], tuple(area), reverse[0])
            return max(largest_of(np.asarray(part), self.marks.mask(np.asarray(part))) for part in parts)

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        if not self.hdf5 or self.matrix:
            return super()._read(rows, columns)
        with reading(self.path), open_hdf5(self.path) as file:
            return take(file[hdf5_path(self.key)], self._reverse(), rows, columns)

    def _decode(self) -> NDArray[Any]:
        # Older versions store whole doubles in fewer bytes; the type is the variable's in every version.
        array = read_mat(self.path, self.key, self.max_bytes).astype(self.dtype, copy=False)
        if not self.matrix:
            return array.transpose(self.order)
        bands, height, width = self.shape
        pixels = array if array.shape[0] == bands else array.T
        return pixels.reshape(bands, width, height).transpose(0, 2, 1)

    def _identity(self) -> tuple[object, ...]:
        return self.key, self.order

    def _reverse(self) -> tuple[int, int, int]:
        """The order of axes as HDF5 shows them, which is the reverse of MATLAB's."""
        return 2 - self.order[0], 2 - self.order[1], 2 - self.order[2]

    def _type_of(self, path: Path) -> np.dtype[Any]:
        if self.hdf5:
            with open_hdf5(path) as file:
                data = file[hdf5_path(self.key)]
                refuse_outside(path, data)
                dtype: np.dtype[Any] = data.dtype
                return dtype
        types = classic_types(path)
        return types[self.key] if self.key in types else read_mat(path, self.key).dtype


def _parts(data: Any, area: tuple[slice, ...], bands: int) -> Iterator[NDArray[Any]]:  # noqa: ANN401
    """Read an area of an HDF5 data set by its chunks, or band by band where it has none."""
    if data.chunks:
        for part in data.iter_chunks(area):
            yield data[part]
        return
    for band in range(data.shape[bands]):
        yield data[tuple(band if axis == bands else area[axis] for axis in range(3))]


def _sides(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int, int | None] | None:
    """Rows, columns and number of bands as the variables nRow, nCol and nBand state them."""
    if not {"nRow", "nCol"} <= set(shapes):
        return None
    bands = int(read_mat(path, "nBand").item()) if "nBand" in shapes else None
    return int(read_mat(path, "nRow").item()), int(read_mat(path, "nCol").item()), bands


def _folded(shape: tuple[int, ...], sides: tuple[int, int, int | None] | None) -> tuple[int, int, int] | None:
    """Return bands, rows and columns of a matrix of bands x pixels or pixels x bands; None if it is none."""
    if sides is None or len(shape) != 2 or sides[0] * sides[1] not in shape:
        return None
    return (shape[0] if shape[1] == sides[0] * sides[1] else shape[1]), sides[0], sides[1]


def _chosen(
    path: Path, key: str | None, shapes: Mapping[str, tuple[int, ...]], sides: tuple[int, int, int | None] | None
) -> str:
    """Return the variable that is meant; without a key a matrix of the stated number of bands counts as a cube."""
    if key is None and sides is not None and not any(len(shape) == 3 for shape in shapes.values()):
        matrices = [name for name, shape in shapes.items() if (cube := _folded(shape, sides)) and cube[0] == sides[2]]
        if len(matrices) == 1:
            return matrices[0]
    return choose(path, key, shapes)


def _stated(
    path: Path, shapes: Mapping[str, tuple[int, ...]], lengths: Sequence[int], key: str
) -> tuple[str, Centres, tuple[str, str] | None] | None:
    """Centres of the bands as a variable of one of these lengths states them, and the variable with their unit.

    Those of other lengths are of another band selection.
    """
    beside = key.rpartition(".")[0]
    # Those of the same struct first; a list that may as well hold the bands' numbers last.
    for name in sorted(
        shapes, key=lambda name: (is_plain_list_of_bands(_field(name)), name.rpartition(".")[0] != beside)
    ):
        count = int(np.prod(shapes[name]))
        if not (names_centres(_field(name)) and count and count == max(shapes[name], default=0) and count in lengths):
            continue
        values = read_mat(path, name).ravel().tolist()
        if are_numbers_of_bands(values, is_plain_list_of_bands(_field(name))):
            continue
        try:
            unit = unit_of(path, name)
            where = f"The variable {name!r} in {path}"
            return name, stated_centres(values, count, where, unit[1] if unit else ""), unit
        except ValueError:
            if not is_plain_list_of_bands(_field(name)):
                raise
    return None


def _marks(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[float, ...]:
    """Marks of missing values as a variable of one number states them."""
    names = [name for name, shape in shapes.items() if names_missing(_field(name)) and np.prod(shape) == 1]
    return tuple(mark for name in names for mark in declared_marks(read_mat(path, name)))


def _field(name: str) -> str:
    return name.rpartition(".")[2]
