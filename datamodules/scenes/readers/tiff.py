"""TIFF and GeoTIFF cubes: one page a band, or one page with a sample per band."""

import logging
import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.geotiff import GEOGRAPHIC_TAGS
from datamodules.scenes.facts.ground import Ground, tiff_ground
from datamodules.scenes.facts.limits import TooLargeError
from datamodules.scenes.facts.missing import Missing, declared_marks
from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_user, stated_centres
from datamodules.scenes.readers.cube_file import take
from datamodules.scenes.readers.decoded import DecodedCube
from datamodules.scenes.readers.gdal_items import Item, items_beside, items_of_tag, missing_text, wavelengths_of
from datamodules.scenes.readers.refusals import refuse_key, refuse_objects
from datamodules.scenes.readers.tiff_segments import read_window
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import beside, parsed_json


class TiffCube(DecodedCube):
    """A TIFF or GeoTIFF cube.

    Windows of a file that is neither compressed nor tiled are read through a memory map, of another its strips or tiles
    under the window are decoded; only a compressed file whose pages are no bands is decoded whole.

    Pages are bands, unless a page has several samples a pixel: then those are. Overviews and thumbnails are left out;
    where an internal mask, GDAL's mask beside the file (`.msk`), or a last sample that the file calls alpha, is 0,
    nothing was measured, nor where a value is that of GDAL's no-data tag. The metadata hold the geographic tags and
    the description.

    Args:
        path: the file.
        key: must be None.
        axes: the axes as the file stacks them, pages first, where a file's pages are no bands: `HWC` for pages that
            are rows.
        wavelengths: centres of the bands in nm; None takes those of the description or of GDAL's metadata, in the
            file or in the `.aux.xml` beside it, if they are there.

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
            items = items_of_tag(metadata.get("GDAL_METADATA", "")) + items_beside(path)
            self._alpha = axes is None and self.layout != "pages" and _ends_with_alpha(series.keyframe)
            self._masked = self._alpha or _mask_page(file) is not None or _mask_beside(path) is not None
            self.stored = np.dtype(f"{file.byteorder}{dtype.char}")
        refuse_objects(dtype, path)
        self._shown = shape
        if self._alpha:
            shape = (*shape[:2], shape[2] - 1) if self.layout == "contig" else (shape[0] - 1, *shape[1:])
        default = "HWC" if self.layout == "contig" else "CHW"
        stated = None if given else _stated(description, items, shape)
        known = given or (stated[0] if stated else None)
        self.order = _page_order(path, shape, axes, default, len(known) if known else None)
        self._natural = self.order == ((2, 0, 1) if self.layout == "contig" else (0, 1, 2))
        centres = None
        if stated is not None:
            centres = stated_centres(stated[0], shape[self.order[0]], f"The description of {path}", stated[1])
        if description:
            metadata["description"] = description
        sizes = (shape[self.order[0]], shape[self.order[1]], shape[self.order[2]])
        super().__init__(path, sizes, dtype, centres.nanometres if centres else given, metadata)
        self.stated = centres
        self.marks = Missing(
            declared_marks(f"{metadata.get('GDAL_NODATA', '')} {missing_text(items)}"), word="nodata value"
        )

    def ground(self) -> Ground | None:
        """Return the outline that pixel scale and tie point state."""
        return tiff_ground(self.tags, *self.shape[1:])

    @property
    def may_lack_values(self) -> bool:
        """Whether values of this cube can be missing at all."""
        return self._masked or super().may_lack_values

    def missing(self, row: int, column: int, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return where values are marked as missing, or lie where the mask of the file is 0; None if nowhere.

        Raises:
            ValueError: if the mask is damaged or of another size.
        """
        marked = super().missing(row, column, values)
        if not self._masked:
            return marked
        height, width = values.shape[-2:]
        hidden = ~self._mask[row : row + height, column : column + width]
        if not hidden.any():
            return marked
        everywhere = np.broadcast_to(hidden, values.shape)
        return everywhere.copy() if marked is None else marked | everywhere

    def mask(self) -> NDArray[np.bool_] | None:
        """Return where the mask of the file says that something was measured, `H x W`; None if it has none.

        Raises:
            ValueError: if the mask is damaged or of another size.
        """
        return self._mask if self._masked else None

    @cached_property
    def _mask(self) -> NDArray[np.bool_]:
        """Where the mask of the file says that something was measured, `H x W`."""
        if self._alpha:
            rows, width = range(0, self.shape[1], _MASK_ROWS), slice(0, self.shape[2])
            ends = [slice(row, min(row + _MASK_ROWS, self.shape[1])) for row in rows]
            return np.concatenate([self._samples(some, width)[-1] != 0 for some in ends])
        aside = _mask_beside(self.path)
        with _opened(aside or self.path) as file:
            page = file.pages.first if aside else _mask_page(file)
            valid = np.asarray(page.asarray()) != 0 if page is not None else np.ones(self.shape[1:], np.bool_)
        valid = valid.reshape(valid.shape[:2]) if valid.ndim == 3 and valid.shape[2] == 1 else valid
        if valid.shape != self.shape[1:]:
            raise InputError(
                f"The mask of {self.path} has {' x '.join(map(str, valid.shape))} pixels where the cube has "
                f"{self.shape[1]} x {self.shape[2]}: save the file again without it."
            )
        return valid

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        return self._samples(rows, columns)[: self.shape[0]]

    def _samples(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Return a window of all bands, and of alpha where there is one."""
        if self._offset is None and self._natural:
            with _opened(self.path) as file:
                shape = (self._shown[self.order[0]], *self.shape[1:])
                return read_window(_only_series(self.path, file), shape, rows, columns)
        if self._offset is None:
            return super()._read(rows, columns)
        mapped = np.memmap(self.path, self.stored, "r", self._offset, self._shown)
        return take(mapped, self.order, rows, columns)

    def _decode(self) -> NDArray[Any]:
        with _opened(self.path) as file:
            array: NDArray[Any] = np.asarray(_only_series(self.path, file).asarray())
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
def _quiet() -> Iterator[None]:
    """Keep to ourselves what the library says of tags that it cannot make out: they are read here, or named."""
    words = logging.getLogger("tifffile")
    before = words.level
    words.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        words.setLevel(before)


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file and turn what the library answers to damage into one sentence."""
    try:
        with _quiet(), tifffile.TiffFile(path) as file:
            _check_chain(file)
            yield file
    except (_ReadableError, TooLargeError):
        raise
    # A cut file is answered with errors of many kinds, according to where it has been cut.
    except Exception as error:
        raise_true_cause(path, error)
        if "imagecodecs" in str(error):
            raise InputError(
                f"The file {path} is compressed in a way that needs the package imagecodecs: install it with `pip "
                "install imagecodecs`, or save the file uncompressed."
            ) from error
        raise InputError(
            f"The file {path} of {path.stat().st_size} bytes is truncated or is no TIFF file: download it again."
        ) from error


class _ReadableError(InputError):
    """The file is sound but holds no cube."""


def _only_series(path: Path, file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """Return the series of all pages of one size; overviews, thumbnails and masks are none."""
    found = [series for series in file.series if not _is_aside(series.keyframe)]
    if len(found) != 1:
        sizes = ", ".join(" x ".join(map(str, series.shape)) for series in found) or "none"
        raise _ReadableError(
            f"The TIFF file {path} has pages of several sizes ({sizes}): save the cube alone, one page a band."
        )
    return found[0]


def _is_aside(page: tifffile.TiffPage) -> bool:
    """Tell whether a page is a reduced copy of another (1) or a mask (4), by the bits of its subfile type."""
    return bool(int(page.subfiletype) & 5) or _is_mask(page)


def _is_mask(page: tifffile.TiffPage) -> bool:
    return bool(int(page.subfiletype) & 4) or page.photometric == tifffile.PHOTOMETRIC.MASK


def _ends_with_alpha(page: tifffile.TiffPage) -> bool:
    """Tell whether a page has bands and, as its last sample, their alpha: 1 is of colours that it was multiplied to."""
    extra = tuple(int(kind) for kind in page.extrasamples or ())
    return page.samplesperpixel > 1 and len(extra) > 0 and extra[-1] in (1, 2)


_MASK_ROWS = 256


def _mask_page(file: tifffile.TiffFile) -> tifffile.TiffPage | None:
    """Return the page of the full size that is the mask of the others, None if there is none."""
    for series in file.series:
        page = series.keyframe
        if _is_mask(page) and not int(page.subfiletype) & 1:
            return page
    return None


def _mask_beside(path: Path) -> Path | None:
    """Return the mask that GDAL keeps beside a file."""
    mask = beside(path, ".msk")
    return mask if mask.is_file() else None


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
    if offset is None or not file.pages.first.is_memmappable:
        return None
    # What the pages say that their bytes are may be less than their pixels take.
    if int(offset) + math.prod(series.shape) * series.dtype.itemsize > size:
        raise InputError("cut")
    return int(offset)


def _check_chain(file: tifffile.TiffFile) -> None:
    """Make sure that the chain of pages ends, and that no page claims more tags than a page has.

    Raises:
        ValueError: if it is a circle, or longer or larger than any sound file's; the library would follow it for hours.
    """
    form, handle = file.tiff, file.filehandle
    seen: set[int] = set()
    offset = file.pages.first.offset
    while offset:
        handle.seek(offset)
        head = handle.read(form.tagnosize)
        if len(head) < form.tagnosize:
            return  # a cut chain, which `_more_pages` names
        (tags,) = struct.unpack(form.tagnoformat, head)
        if offset in seen or tags > _MOST_TAGS or len(seen) > _MOST_PAGES:
            raise InputError("The chain of pages has no end, or a page claims more tags than a page has.")
        seen.add(offset)
        handle.seek(tags * form.tagsize, 1)
        after = handle.read(form.offsetsize)
        offset = struct.unpack(form.offsetformat, after)[0] if len(after) == form.offsetsize else 0


_MOST_TAGS, _MOST_PAGES = 500, 1 << 16


def _more_pages(file: tifffile.TiffFile) -> bool:
    """Tell whether the last page that could be read names another one."""
    form, handle = file.tiff, file.filehandle
    handle.seek(file.pages[-1].offset)
    (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    handle.seek(tags * form.tagsize, 1)
    return any(handle.read(form.offsetsize))


def _stated(description: str, items: list[Item], shape: tuple[int, ...]) -> tuple[list[float], str] | None:
    """Wavelengths from a JSON description or from GDAL's metadata, in their own unit, and the word for it."""
    if description.startswith("{"):
        try:
            values = parsed_json(description).get("wavelengths")
        except ValueError:
            values = None
        if isinstance(values, list):
            try:
                return [float(value) for value in values], ""
            except (TypeError, ValueError):
                return [], ""
    for bands in dict.fromkeys(shape):
        if (found := wavelengths_of(items, bands)) is not None:
            return found
    return None
