"""Writers of the formats whose values lie in the file as they are: ENVI, NumPy's .npy, uncompressed TIFF."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from datamodules.scenes.readers.envi import EnviCube
from datamodules.scenes.readers.numpy_file import NpyCube
from datamodules.scenes.readers.tiff import TiffCube
from datamodules.scenes.writers.cube_writer import CubeWriter, Output
from hyperalign.errors import FileAccessError, InputError

_ENVI_TYPES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12, "u4": 13, "i8": 14, "u8": 15}
_DESCRIPTION, _PIXEL_SCALE, _TRANSFORMATION, _GDAL_METADATA = 270, 33550, 34264, 42112


class MappedWriter(CubeWriter):
    """A cube whose windows are written through a memory map.

    The map is opened for each window and closed again, so that written pages do not count as memory of the process.

    Args:
        output: see `CubeWriter`.
    """

    _file: Path
    _offset: int
    _order: tuple[int, int, int]

    def _put(self, rows: slice, columns: slice, block: NDArray[Any]) -> None:
        shown = stored_shape(self.shape, self._order)
        mapped = np.memmap(self._file, self.dtype, "r+", self._offset, shown)
        mapped.transpose(self._order)[:, rows, columns] = block

    def _finish(self) -> None:
        """Nothing is left open between windows."""


class EnviWriter(MappedWriter):
    """An ENVI image with the interleave and the header entries of another, its place on the ground among them.

    Entries with one value per band are left out if the number of bands changes.

    Args:
        source: the image whose header is taken over.
        output: the cube to be, its header named as the source's is; without wavelengths it keeps the header's, if the
            number of bands is the same.

    Raises:
        ValueError: for a type that ENVI does not have, or a wrong number of wavelengths.
    """

    def __init__(self, source: EnviCube, output: Output) -> None:
        super().__init__(output)
        path, shape, dtype = self.path, self.shape, self.dtype
        if (code := _ENVI_TYPES.get(dtype.str[1:])) is None:
            raise InputError(f"ENVI files hold no {dtype} values ({path}): choose float32, or another output type.")
        entries = dict(source.entries)
        interleave = str(entries.get("interleave", "bsq")).lower()
        self._order = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (2, 0, 1)}[interleave]
        self._offset = 0
        if shape[0] != source.shape[0]:
            lists = {name: value for name, value in entries.items() if isinstance(value, list)}
            lost = {name for name, value in lists.items() if len(value) == source.shape[0]} | {"default bands"}
            entries = {name: value for name, value in entries.items() if name not in lost}
        bands, height, width = map(str, shape)
        entries |= {"bands": bands, "lines": height, "samples": width, "data type": str(code), "header offset": "0"}
        entries |= {"interleave": interleave, "byte order": "0"}
        if self.wavelengths is not None:
            entries |= {"wavelength": [f"{centre:g}" for centre in self.wavelengths], "wavelength units": "Nanometers"}
        if isinstance(place := entries.get("map info"), list) and len(place) > 6:
            entries["map info"] = _finer(place, source.shape, shape)
        header = path.with_name(f"{path.name}.hdr")
        if source.header.name != f"{source.path.name}.hdr":
            header = path.with_suffix(".hdr")
        # Renamed before the image, so that there is never an image without its header.
        self._header = self._temporary(header)
        self._file = self._temporary(path)
        self._entries = entries
        _reserve(self._file, math.prod(shape) * dtype.itemsize)
        # ENVI's byte order 0.
        self.dtype = dtype.newbyteorder("<")

    def _finish(self) -> None:
        from spectral.io import envi  # type: ignore[import-untyped]

        envi.write_envi_header(str(self._header), self._entries | self.notes)


class NpyWriter(MappedWriter):
    """A `.npy` file with the order of axes of another.

    Args:
        source: the file whose order of axes is taken over.
        output: the cube to be; the format has no place for its wavelengths.
    """

    def __init__(self, source: NpyCube, output: Output) -> None:
        super().__init__(output)
        self._order = source.order
        self._file = self._temporary(self.path)
        mapped = open_memmap(self._file, "w+", self.dtype, stored_shape(self.shape, self._order))
        self._offset = int(mapped.offset)


class TiffWriter(MappedWriter):
    """An uncompressed TIFF with the page layout, the description and the geographic tags of another.

    Wavelengths go into the description, as JSON. GDAL's metadata are left out if the number of bands changes.

    Args:
        source: the file whose layout and tags are taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, source: TiffCube, output: Output) -> None:
        super().__init__(output)
        path, shape, dtype = self.path, self.shape, self.dtype
        self._order = source.order
        self._file = self._temporary(path)
        planes = None if source.layout == "pages" else source.layout
        with tifffile.TiffWriter(self._file, bigtiff=math.prod(shape) * dtype.itemsize > (1 << 32) - (1 << 25)) as file:
            written = file.write(
                shape=stored_shape(shape, self._order),
                dtype=dtype,
                photometric="minisblack",
                planarconfig=planes,
                # There is always one, as notes can only take the place of a description.
                description=_description(source, self.wavelengths, {}) or "{}",
                metadata=None,
                extratags=_tags(source, shape),
                returnoffset=True,
                contiguous=True,
            )
        if written is None:
            raise FileAccessError(
                f"The TIFF file {path} cannot be laid out in one piece: choose another output format."
            )
        self._offset = int(written[0])
        self._source = source

    def _finish(self) -> None:
        if self.notes:
            text = _description(self._source, self.wavelengths, self.notes)
            with tifffile.TiffFile(self._file, mode="r+") as file:
                file.pages.first.tags[_DESCRIPTION].overwrite(text)


def stored_shape(shape: tuple[int, int, int], order: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of the array in the file, given which of its axes hold bands, rows and columns."""
    sizes = [0, 0, 0]
    for size, axis in zip(shape, order, strict=True):
        sizes[axis] = size
    return sizes[0], sizes[1], sizes[2]


def _reserve(path: Path, size: int) -> None:
    """Make a file of zeros that takes no place on the disk yet."""
    with path.open("xb") as file:
        file.truncate(size)


def _finer(place: list[str], before: tuple[int, int, int], after: tuple[int, int, int]) -> list[str]:
    """ENVI's map info with the pixel size, its sixth and seventh entry, of a grid of another number of pixels."""
    if before[1:] == after[1:]:
        return place
    # The reference pixel counts from the corner of pixel 1, 1.
    columns, rows = after[2] / before[2], after[1] / before[1]
    reference = [1 + (float(place[1]) - 1) * columns, 1 + (float(place[2]) - 1) * rows]
    sizes = [float(place[5]) / columns, float(place[6]) / rows]
    return [place[0], *map(repr, reference), *place[3:5], *map(repr, sizes), *place[7:]]


def _description(source: TiffCube, wavelengths: tuple[float, ...] | None, notes: Mapping[str, str]) -> str:
    """The source's description, with the wavelengths and what else there is to say as JSON."""
    text = source.metadata.get("description", "")
    if wavelengths is None and not notes:
        return text
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        entries = {"description": text} if text else {}
    # What the library itself wrote about the shape is not true of another shape.
    entries = {name: value for name, value in entries.items() if name != "shape"}
    stated = {} if wavelengths is None else {"wavelengths": list(wavelengths)}
    return json.dumps(entries | stated | dict(notes))


def _tags(source: TiffCube, shape: tuple[int, int, int]) -> list[tuple[int, int, int | None, Any, bool]]:
    """The geographic tags of the source, for the number of pixels of the new cube."""
    columns, rows = shape[2] / source.shape[2], shape[1] / source.shape[1]
    tags: list[tuple[int, int, int | None, Any, bool]] = []
    for code, kind, count, value in source.tags:
        if code == _GDAL_METADATA and shape[0] != source.shape[0]:
            continue
        if code == _PIXEL_SCALE:
            value = (value[0] / columns, value[1] / rows, *value[2:])
        if code == _TRANSFORMATION:
            value = tuple(number / (columns, rows, 1.0, 1.0)[position % 4] for position, number in enumerate(value))
        tags.append((code, kind, 0 if isinstance(value, str) else count, value, True))
    return tags
