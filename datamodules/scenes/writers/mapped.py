"""Writers of the formats whose values lie in the file as they are: ENVI, NumPy's .npy, uncompressed TIFF."""

import glob
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from datamodules.scenes.facts.geotiff import GDAL_METADATA, GDAL_NODATA
from datamodules.scenes.readers.envi import EnviCube
from datamodules.scenes.readers.envi_header import ORDERS, TYPES, Entries, write_entries
from datamodules.scenes.readers.gdal_items import of_other_bands
from datamodules.scenes.readers.numpy_file import NpyCube
from datamodules.scenes.readers.tiff import TiffCube
from datamodules.scenes.writers.bands import centres_in_own_unit, picked_bands
from datamodules.scenes.writers.cube_writer import CubeWriter, Output, take_place
from datamodules.scenes.writers.ground import envi_place, tiff_place, world_file
from hyperalign.errors import FileAccessError, InputError
from hyperalign.files import parsed_json

_ENVI_TYPES = {name: code for code, name in TYPES.items() if not name.startswith("c")}
_DESCRIPTION = 270
_WORLD_FILES, _LARGEST_ASIDE = (".tfw", ".tifw", ".tiffw", ".wld"), 1 << 16


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
        original: the image whose header is taken over.
        output: the cube to be, its header named as the original's is; without wavelengths it keeps the header's, if the
            number of bands is the same.

    Raises:
        ValueError: for a type that ENVI does not have, or a wrong number of wavelengths.
    """

    def __init__(self, original: EnviCube, output: Output) -> None:
        super().__init__(output)
        path, shape, dtype = self.path, self.shape, self.dtype
        if (code := _ENVI_TYPES.get(dtype.str[1:])) is None:
            raise InputError(f"ENVI files hold no {dtype} values ({path}): choose float32, or another output type.")
        interleave = original.interleave
        self._order = ORDERS[interleave]
        self._offset = 0
        entries = _envi_entries(original, shape, self.wavelengths)
        bands, height, width = map(str, shape)
        entries |= {"bands": bands, "lines": height, "samples": width, "data type": str(code), "header offset": "0"}
        entries |= {"interleave": interleave, "byte order": "0"}
        suffix = original.header.suffix
        header = path.with_name(f"{path.name}{suffix}")
        if original.header.stem != original.path.name:
            header = path.with_suffix(suffix)
        # Renamed before the image, so that there is never an image without its header.
        self._header = self._temporary(header)
        self._file = self._temporary(path)
        self._entries = entries
        _reserve(self._file, math.prod(shape) * dtype.itemsize)
        # ENVI's byte order 0.
        self.dtype = dtype.newbyteorder("<")

    def _finish(self) -> None:
        write_entries(self._header, self._entries | self.notes)


class NpyWriter(MappedWriter):
    """A `.npy` file with the order of axes of another.

    Args:
        original: the file whose order of axes is taken over.
        output: the cube to be; the format has no place for its wavelengths.
    """

    def __init__(self, original: NpyCube, output: Output) -> None:
        super().__init__(output)
        self._order = original.order
        self._file = self._temporary(self.path)
        mapped = open_memmap(self._file, "w+", self.dtype, stored_shape(self.shape, self._order))
        self._offset = int(mapped.offset)
        take_place(self._file)


class TiffWriter(MappedWriter):
    """An uncompressed TIFF with the page layout, the description, the geographic tags and the mask of another.

    A world file and a projection beside the other (`.tfw`, `.prj`) are written beside it.

    Wavelengths go into the description, as JSON. Of GDAL's metadata those of single bands follow their bands.

    Args:
        original: the file whose layout and tags are taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, original: TiffCube, output: Output) -> None:
        super().__init__(output)
        path, shape, dtype = self.path, self.shape, self.dtype
        self._order = original.order
        self._place_beside(original)
        self._file = self._temporary(path)
        planes = None if original.layout == "pages" else original.layout
        with tifffile.TiffWriter(self._file, bigtiff=math.prod(shape) * dtype.itemsize > (1 << 32) - (1 << 25)) as file:
            written = file.write(
                shape=stored_shape(shape, self._order),
                dtype=dtype,
                photometric="minisblack",
                planarconfig=planes,
                # There is always one, as notes can only take the place of a description.
                description=_description(original, self.wavelengths, {}) or "{}",
                metadata=None,
                extratags=_tags(original, shape, self.wavelengths),
                returnoffset=True,
                contiguous=True,
            )
            if (mask := original.mask()) is not None:
                finer = mask.repeat(shape[1] // mask.shape[0], 0).repeat(shape[2] // mask.shape[1], 1)
                # As GDAL writes an internal mask: one bit, 1 where something was measured.
                file.write(finer, photometric="mask", subfiletype=4, metadata=None)
        if written is None:
            raise FileAccessError(
                f"The TIFF file {path} cannot be laid out in one piece: choose another output format."
            )
        self._offset = int(written[0])
        self._original = original
        take_place(self._file)

    def _place_beside(self, original: TiffCube) -> None:
        """Write the world file and the projection that lie beside the original beside the new cube."""
        for found in sorted(original.path.parent.glob(f"{glob.escape(original.path.stem)}.*")):
            suffix = found.suffix.lower()
            if suffix not in (*_WORLD_FILES, ".prj") or found.stat().st_size > _LARGEST_ASIDE:
                continue
            text = found.read_text(encoding="latin-1")
            if suffix in _WORLD_FILES:
                text = world_file(text, original.shape, self.shape)
            if text:
                self._temporary(self.path.with_suffix(found.suffix)).write_text(text, encoding="latin-1")

    def _finish(self) -> None:
        if self.notes:
            text = _description(self._original, self.wavelengths, self.notes)
            with tifffile.TiffFile(self._file, mode="r+") as file:
                file.pages.first.tags[_DESCRIPTION].overwrite(text)


def stored_shape(shape: tuple[int, int, int], order: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of the array in the file, given which of its axes hold bands, rows and columns."""
    sizes = [0, 0, 0]
    for size, axis in zip(shape, order, strict=True):
        sizes[axis] = size
    return sizes[0], sizes[1], sizes[2]


def _reserve(path: Path, size: int) -> None:
    """Make a file of zeros."""
    with path.open("xb") as file:
        file.truncate(size)
    take_place(path)


def _envi_entries(original: EnviCube, shape: tuple[int, int, int], wavelengths: Sequence[float] | None) -> Entries:
    """The original's entries for other bands and another number of pixels."""
    entries = envi_place(original.entries, original.shape, shape)
    picked = picked_bands(original, shape[0], wavelengths)
    if picked != tuple(range(original.shape[0])):
        for name, value in list(entries.items()):
            if isinstance(value, list) and len(value) == original.shape[0] and name not in _NO_LISTS_OF_BANDS:
                entries[name] = [] if picked is None else [value[band] for band in picked]
        entries = {name: value for name, value in entries.items() if value != []}
        entries.pop("default bands", None)
    if wavelengths is None:
        return entries
    if original.stated is None:
        # Nobody or somebody else said them: in nm, and no widths in an unknown unit beside them.
        if original.stated_in_header:
            entries.pop("fwhm", None)
        entries |= {"wavelength": [f"{centre:.12g}" for centre in wavelengths], "wavelength units": "Nanometers"}
    elif picked is None:
        # Rarer units are only kept where an entry says them; band names that said them are those of other bands.
        own = "wavelength units" in entries or original.stated.unit in (1.0, 1000.0)
        centres = centres_in_own_unit(original, wavelengths) if own else wavelengths
        entries["wavelength"] = [f"{centre:.12g}" for centre in centres]
        entries.setdefault("wavelength units", "Micrometers" if original.stated.unit == 1000.0 else "Nanometers")
    return entries


_NO_LISTS_OF_BANDS = ("map info", "pixel size", "geo points", "default bands", "projection info", "data ignore value")


def _description(original: TiffCube, wavelengths: tuple[float, ...] | None, notes: Mapping[str, str]) -> str:
    """The original's description, with the wavelengths and what else there is to say as JSON."""
    text = original.metadata.get("description", "")
    if wavelengths is None and not notes:
        return text
    try:
        entries = parsed_json(text)
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        entries = {"description": text} if text else {}
    # What the library itself wrote about the shape is not true of another shape.
    entries = {name: value for name, value in entries.items() if name != "shape"}
    in_unit = original.stated is not None and "wavelengths" in entries
    centres = () if wavelengths is None else centres_in_own_unit(original, wavelengths) if in_unit else wavelengths
    stated = {"wavelengths": list(centres)} if centres else {}
    return json.dumps(entries | stated | dict(notes))


def _tags(
    original: TiffCube, shape: tuple[int, int, int], wavelengths: Sequence[float] | None
) -> list[tuple[int, int, int | None, Any, bool]]:
    """The geographic tags of the original, for the number of pixels and the bands of the new cube."""
    tags: list[tuple[int, int, int | None, Any, bool]] = []
    picked = picked_bands(original, shape[0], wavelengths)
    for code, kind, count, value in tiff_place(original.tags, original.shape, shape):
        if code == GDAL_METADATA and picked != tuple(range(original.shape[0])):
            value = of_other_bands(str(value), picked)
        if value != "":
            tags.append((code, kind, 0 if isinstance(value, str) else count, value, True))
    # What only the file beside the original declares is declared here.
    if original.marks.declared and not any(tag[0] == GDAL_NODATA for tag in tags):
        tags.append((GDAL_NODATA, 2, 0, f"{original.marks.declared[0]:.17g}", True))
    return tags
