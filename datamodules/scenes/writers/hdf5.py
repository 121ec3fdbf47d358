"""Writers of HDF5, netCDF-4 and MATLAB v7.3 files, by windows."""

import re
from contextlib import suppress
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.names import names_centres, names_unit, names_widths
from datamodules.scenes.readers.hdf5 import Hdf5Cube
from datamodules.scenes.readers.hdf5_file import open_hdf5
from datamodules.scenes.readers.hdf5_links import own_data_sets
from datamodules.scenes.readers.mat import hdf5_path, read_mat
from datamodules.scenes.readers.mat_cube import MatCube
from datamodules.scenes.writers.bands import arrays_beside, centres_in_own_unit, picked_bands
from datamodules.scenes.writers.cube_writer import CubeWriter, Output
from datamodules.scenes.writers.mapped import stored_shape

_CHUNK = 64
_COUNTS_PIXELS = re.compile(r"glt|igm|gcp", re.IGNORECASE)
"""Names of data sets whose values are numbers of pixels."""
_PIXEL_SIZES = ("geotransform", "i2m", "image_to_map_transform")
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
        # Closing writes what is still held, which a full disk refuses once more.
        with suppress(OSError, RuntimeError, ValueError):
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
        original: the file whose content is taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, original: Hdf5Cube, output: Output) -> None:
        super().__init__(output, key=original.key, order=original.order)
        picked = picked_bands(original, self.shape[0], self.wavelengths)
        same = picked == tuple(range(original.shape[0]))
        with open_hdf5(original.path) as old:
            self._copy_others(old, original, None if same else picked, same)
            _copy_attributes(old[original.key], self._data)
            self._attach(old[original.key])
        for name in [name for name in self._data.attrs if names_widths(name) and not same]:
            widths = np.ravel(self._data.attrs[name])
            del self._data.attrs[name]
            if picked is not None and len(widths) == original.shape[0]:
                self._data.attrs[name] = widths[list(picked)]
        if self.dtype != original.dtype:
            for name in [name for name in self._data.attrs if name.lower().startswith("valid_")]:
                del self._data.attrs[name]
        if original.marks.declared and (mark := original.marks.written(self.dtype)) is not None:
            self._data.attrs["_FillValue"] = np.asarray(mark, dtype=self.dtype)
        told = original.centres_name is not None and (same or (picked is not None and "@" not in original.centres_name))
        if self.wavelengths is None or told:
            return
        own = original.centres_name is not None and original.centres_name.startswith("@")
        for name in [
            name for name in self._data.attrs if names_centres(name) or (not own and names_unit(name, "band"))
        ]:
            del self._data.attrs[name]
        name = str(original.centres_name)[1:] if own else "wavelengths"
        self._data.attrs[name] = np.array(centres_in_own_unit(original, self.wavelengths) if own else self.wavelengths)

    def _copy_others(self, old: Any, original: Hdf5Cube, picked: tuple[int, ...] | None, same: bool) -> None:  # noqa: ANN401
        """Copy every data set that still holds, and all attributes of groups.

        Args:
            old: the original's file.
            original: the original.
            picked: which of its bands are written, None if they are the same or new ones.
            same: whether they are the same.
        """
        cube, bands = old[original.key], original.shape[0]
        before, resized = tuple(cube.shape), self.shape[1:] != original.shape[1:]
        lost = {size for size, kept in zip(before, self._data.shape, strict=True) if size != kept}
        _copy_attributes(old, self._file, resized)
        for name, item in own_data_sets(old):
            _copy_attributes(item.parent, self._file.require_group(item.parent.name), resized)
            counts_pixels = resized and _COUNTS_PIXELS.match(name.rpartition("/")[2])
            if name == original.key or item.size is None or item.size >= cube.size or counts_pixels:
                continue
            if not same and item.shape == (bands,):
                # A list of the bands follows them; of new bands there is none.
                if picked is not None and item.dtype.kind in "iufb":
                    self._file[name] = item[()][list(picked)]
                    _copy_attributes(item, self._file[name])
            elif not lost.intersection(item.shape) and not item.external and not item.is_virtual:
                old.copy(item, self._file, name, without_attrs=True)
                _copy_attributes(item, self._file[name])

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
        original: the file whose variable is taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, original: MatCube, output: Output) -> None:
        # HDF5 shows MATLAB's axes in reverse order; a matrix of pixels becomes a cube as MATLAB holds it.
        order = (2, 0, 1) if original.matrix else original.order
        reverse = (2 - order[0], 2 - order[1], 2 - order[2])
        super().__init__(output, key=hdf5_path(original.key), order=reverse, header=512)
        self._data.attrs["MATLAB_class"] = np.bytes_(_matlab_class(self.dtype))
        beside = arrays_beside(
            original,
            self.wavelengths,
            original.centres_name,
            original.shapes,
            lambda name: read_mat(original.path, name),
        )
        for name, array in beside.items():
            path = hdf5_path(name)
            if array.dtype.kind == "U":
                codes = [ord(sign) for sign in str(array)]
                self._file[path] = np.array(codes, np.uint16)[:, None]
                self._file[path].attrs.update({"MATLAB_class": np.bytes_("char"), "MATLAB_int_decode": np.int32(2)})
                continue
            self._file[path] = np.atleast_2d(array).T
            self._file[path].attrs["MATLAB_class"] = np.bytes_(_matlab_class(array.dtype))
        for group in (name.rpartition(".")[0] for name in (original.key, *beside)):
            if group:
                self._file[hdf5_path(group)].attrs["MATLAB_class"] = np.bytes_("struct")

    def _finish(self) -> None:
        super()._finish()
        with self._target.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")


def _matlab_class(dtype: np.dtype[Any]) -> str:
    return {"float64": "double", "float32": "single"}.get(dtype.name, dtype.name)


def _copy_attributes(old: Any, new: Any, resized: bool = False) -> None:  # noqa: ANN401
    """Copy attributes, but for references into the old file, and for pixel sizes if there are other pixels."""
    for name, value in old.attrs.items():
        if name in _REFERENCES or name == "_FillValue" or name.startswith("_Netcdf4"):
            continue
        if not (resized and name.lower() in _PIXEL_SIZES):
            new.attrs[name] = value
