"""Writers of HDF5, netCDF-4 and MATLAB v7.3 files, by windows."""

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.hdf5 import Hdf5Cube
from datamodules.scenes.readers.mat_cube import CENTRE_NAMES, MatCube
from datamodules.scenes.writers.cube_writer import CubeWriter, Output
from datamodules.scenes.writers.mapped import stored_shape

_CHUNK = 64
_REFERENCES = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME")


class HdfWriter(CubeWriter):
    """A data set that is written by windows; the file is open from the first to the last of them.

    Args:
        output: see `CubeWriter`.
        key: name of the data set.
        order: its axes that hold bands, rows and columns.
        header: bytes that HDF5 leaves free at the start.
    """

    def __init__(self, output: Output, *, key: str, order: tuple[int, int, int], header: int = 0) -> None:
        super().__init__(output)
        self._order = order
        self._target = self._temporary(self.path)
        self._file = h5py.File(self._target, "x", userblock_size=header)
        height, width = self.shape[1:]
        # One band of a square a chunk: a tile of any size then touches few chunks more than its own.
        chunks = stored_shape((1, min(height, _CHUNK), min(width, _CHUNK)), order)
        self._data = self._file.create_dataset(key, stored_shape(self.shape, order), self.dtype, chunks=chunks)

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        super().discard()

    def _put(self, rows: slice, columns: slice, block: NDArray[Any]) -> None:
        index = [slice(None)] * 3
        index[self._order[1]], index[self._order[2]] = rows, columns
        inverse = tuple(int(axis) for axis in np.argsort(self._order))
        self._data[tuple(index)] = block.transpose(inverse)

    def _finish(self) -> None:
        self._data.attrs.update(self.notes)
        self._file.close()


class Hdf5Writer(HdfWriter):
    """An HDF5 or netCDF-4 file with the key, the attributes and the other data sets of another.

    Other data sets (coordinates, grid mapping) are copied unless they are as large as the cube or hold one value for
    each band of another number of bands. Wavelengths are an attribute of the data set.

    Args:
        source: the file whose content is taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, source: Hdf5Cube, output: Output) -> None:
        super().__init__(output, key=source.key, order=source.order)
        with h5py.File(source.path, "r") as old:
            self._copy_others(old, old[source.key], tuple(old[source.key].shape))
            _copy_attributes(old[source.key], self._data)
            self._attach(old[source.key])
        if self.wavelengths is not None:
            for name in [name for name in self._data.attrs if name.lower() in CENTRE_NAMES]:
                del self._data.attrs[name]
            self._data.attrs["wavelengths"] = np.array(self.wavelengths)

    def _copy_others(self, old: Any, cube: Any, before: tuple[int, ...]) -> None:  # noqa: ANN401
        """Copy every data set that still holds, and all attributes of groups."""
        lost = {size for size, kept in zip(before, self._data.shape, strict=True) if size != kept}

        def visit(name: str, item: Any) -> None:  # noqa: ANN401
            if isinstance(item, h5py.Group):
                _copy_attributes(item, self._file.require_group(name))
            elif item != cube and item.size < cube.size and not lost.intersection(item.shape):
                old.copy(item, self._file, name, without_attrs=True)
                _copy_attributes(item, self._file[name])

        _copy_attributes(old, self._file)
        old.visititems(visit)

    def _attach(self, cube: Any) -> None:  # noqa: ANN401
        """Make the copied coordinates the coordinates of the new axes."""
        for axis, dimension in enumerate(cube.dims):
            for scale in dimension.values():
                if scale.name in self._file and self._file[scale.name].shape == (self._data.shape[axis],):
                    self._file[scale.name].make_scale(scale.name.rsplit("/", 1)[-1])
                    self._data.dims[axis].attach_scale(self._file[scale.name])


class MatHdf5Writer(HdfWriter):
    """A MATLAB v7.3 file with the variable name and the order of axes of another, and `wavelengths` beside the cube.

    Args:
        source: the file whose variable is taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, source: MatCube, output: Output) -> None:
        # HDF5 shows MATLAB's axes in reverse order; a matrix of pixels becomes a cube as MATLAB holds it.
        order = (2, 0, 1) if source.matrix else source.order
        reverse = (2 - order[0], 2 - order[1], 2 - order[2])
        super().__init__(output, key=source.key, order=reverse, header=512)
        self._data.attrs["MATLAB_class"] = np.bytes_(_matlab_class(self.dtype))
        if self.wavelengths is not None:
            self._file["wavelengths"] = np.array(self.wavelengths)[:, None]
            self._file["wavelengths"].attrs["MATLAB_class"] = np.bytes_("double")

    def _finish(self) -> None:
        super()._finish()
        with self._target.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")


def _matlab_class(dtype: np.dtype[Any]) -> str:
    return {"float64": "double", "float32": "single"}.get(dtype.name, dtype.name)


def _copy_attributes(old: Any, new: Any) -> None:  # noqa: ANN401
    """Copy attributes, but for references into the old file."""
    for name, value in old.attrs.items():
        if name not in _REFERENCES and name != "_FillValue" and not name.startswith("_Netcdf4"):
            new.attrs[name] = value
