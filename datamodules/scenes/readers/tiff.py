"""TIFF and GeoTIFF cubes: one page a band, or one page with a sample per band."""

import json
import math
import re
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_file, centres_from_user
from datamodules.scenes.readers.cube_file import take
from datamodules.scenes.readers.decoded import DecodedCube
from datamodules.scenes.readers.refusals import refuse_key, refuse_objects
from datamodules.scenes.readers.tiff_segments import read_window
from hyperalign.errors import InputError, MissingFileError

GEOGRAPHIC_TAGS = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
"""Tags of GeoTIFF and GDAL: pixel scale, tie points, transformation, three of keys, metadata, no-data value."""


class TiffCube(DecodedCube):
    """A TIFF or GeoTIFF cube.

    Windows of a file that is neither compressed nor tiled are read through a memory map, of another its strips or tiles
    under the window are decoded; only a compressed file whose pages are no bands is decoded whole.

    Pages are bands, unless a page has several samples a pixel: then those are. The metadata hold the geographic tags
    and the description.

    Args:
        path: the file.
        key: must be None.
        axes: the axes as the file stacks them, pages first, where a file's pages are no bands: `HWC` for pages that
            are rows.
        wavelengths: centres of the bands in nm; None takes those of the description or of GDAL's metadata, if they
            are there.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, a compression that needs another package, pages of several sizes, or pages
            that look like rows.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        refuse_key(path, key, "its pages are told by their order")
        if not path.is_file():
            raise MissingFileError(f"There is no TIFF file {path}: check the path, or download it.")
        given = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        with _opened(path) as file:
            series = _only_series(path, file)
            shape, self.layout = _layout(series)
            dtype = np.dtype(series.dtype)
            self._offset = _map_offset(path, file, series)
            tags = file.pages.first.tags
            self.tags = tuple(
                (tag.code, int(tag.dtype), tag.count, tag.value) for tag in tags if tag.code in GEOGRAPHIC_TAGS
            )
            metadata = {tag.name: str(tag.value) for tag in tags if tag.code in GEOGRAPHIC_TAGS}
            description = str(file.pages.first.description or "")
            stated = None if given else _stated(description, metadata.get("GDAL_METADATA", ""))
            self.stored = np.dtype(f"{file.byteorder}{dtype.char}")
        refuse_objects(dtype, path)
        known = given or stated
        self.order = _page_order(
            path, shape, axes, "HWC" if self.layout == "contig" else "CHW", len(known) if known else None
        )
        self._shown = shape
        self._natural = self.order == ((2, 0, 1) if self.layout == "contig" else (0, 1, 2))
        if stated is not None:
            given = centres_from_file(stated, shape[self.order[0]], f"The description of {path}")
        if description:
            metadata["description"] = description
        super().__init__(
            path, (shape[self.order[0]], shape[self.order[1]], shape[self.order[2]]), dtype, given, metadata
        )

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        if self._offset is None and self._natural:
            with _opened(self.path) as file:
                return read_window(file.series[0], self.shape, rows, columns)
        if self._offset is None:
            return super()._read(rows, columns)
        mapped = np.memmap(self.path, self.stored, "r", self._offset, self._shown)
        return take(mapped, self.order, rows, columns)

    def _decode(self) -> NDArray[Any]:
        with _opened(self.path) as file:
            array: NDArray[Any] = np.asarray(file.series[0].asarray())
        return array.reshape(self._shown).transpose(self.order)

    def _identity(self) -> tuple[object, ...]:
        return (self.order,)


def _page_order(
    path: Path, shape: tuple[int, ...], axes: str | None, default: str, bands: int | None
) -> tuple[int, int, int]:
    """Return the order of axes, with a sentence of its own for pages that are rows."""
    what = f"the TIFF cube in {path}"
    try:
        return axis_order(shape, axes, default, bands, what)
    except ValueError as error:
        if "seem to be exchanged" not in str(error) or default != "CHW":
            raise
        thin = list(shape).index(bands) if bands in shape else list(shape).index(min(shape))
        likely = {1: "HCW", 2: "HWC"}.get(thin, "HWC")
        raise InputError(
            f"The {shape[0]} pages of {path}, of {shape[1]} x {shape[2]}, seem to be rows and not bands: set `axes` to "
            f"{likely} if they are rows, or to CHW if they are bands."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file and turn what the library answers to damage into one sentence."""
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except _ReadableError:
        raise
    # A cut file is answered with errors of many kinds, according to where it has been cut.
    except Exception as error:
        if "imagecodecs" in str(error):
            raise InputError(
                f"The file {path} is compressed in a way that needs the package imagecodecs: install it with `pip "
                "install imagecodecs`, or save the file uncompressed."
            ) from error
        raise InputError(
            f"The file {path} of {path.stat().st_size} bytes is truncated or is no TIFF file: download it again."
        ) from error


class _ReadableError(ValueError):
    """The file is sound but holds no cube."""


def _only_series(path: Path, file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """Return the series of all pages of one size; reduced copies of it (overviews) are levels and no series."""
    if len(file.series) != 1:
        sizes = ", ".join(" x ".join(map(str, series.shape)) for series in file.series) or "none"
        raise _ReadableError(
            f"The TIFF file {path} has pages of several sizes ({sizes}): save the cube alone, one page a band."
        )
    return file.series[0]


def _layout(series: tifffile.TiffPageSeries) -> tuple[tuple[int, ...], Literal["pages", "contig", "separate"]]:
    """Return the shape with axes of one element, which the library leaves out, and how the bands lie in the file."""
    page = series.keyframe
    height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    shape = tuple(int(size) for size in series.shape)
    if samples > 1 and len(series.pages) == 1:
        contiguous = page.planarconfig == tifffile.PLANARCONFIG.CONTIG
        return ((height, width, samples), "contig") if contiguous else ((samples, height, width), "separate")
    if samples > 1 or sum(size > 1 for size in shape) > 3:
        return shape, "pages"
    return (math.prod(shape) // (height * width), height, width), "pages"


def _map_offset(path: Path, file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> int | None:
    """Return where the values start if they lie in the file in one piece as they are; None if they must be decoded.

    Raises:
        ValueError: if the file is shorter than its values.
    """
    size = path.stat().st_size
    for page in series:
        if page is not None and any(
            offset + count > size for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
        ):
            raise InputError("cut")
    if _more_pages(file):
        # The library only logs a chain of pages that leads out of the file, and shows the pages before.
        raise InputError("cut")
    offset = series.dataoffset
    plain = offset is not None and file.pages.first.is_memmappable
    return int(offset) if plain and offset is not None else None


def _more_pages(file: tifffile.TiffFile) -> bool:
    """Tell whether the last page that could be read names another one."""
    form, handle = file.tiff, file.filehandle
    handle.seek(file.pages[-1].offset)
    (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    handle.seek(tags * form.tagsize, 1)
    return any(handle.read(form.offsetsize))


def _stated(description: str, gdal: str) -> list[float] | None:
    """Wavelengths from a JSON description or from items named `wavelength` of GDAL's metadata, in their own unit."""
    if description.startswith("{"):
        try:
            values = json.loads(description).get("wavelengths")
        except ValueError:
            values = None
        if isinstance(values, list):
            return [float(value) for value in values]
    if "<!" in gdal or not gdal.startswith("<GDALMetadata"):
        return None
    try:
        items = ElementTree.fromstring(gdal).iter("Item")  # noqa: S314 - no entities: see above
    except ElementTree.ParseError:
        return None
    found: dict[int, float] = {}
    for item in items:
        name, sample = (item.get("name") or "").lower(), item.get("sample")
        number = re.match(r"\s*([\d.]+)", item.text or "")
        if name in ("wavelength", "wavelengths", "center_wavelength") and sample and sample.isdigit() and number:
            found[int(sample)] = float(number[1])
    return [found[sample] for sample in sorted(found)] or None
