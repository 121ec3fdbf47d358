"""The strips or tiles of a compressed TIFF that lie under a window, decoded without the others."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray


def read_window(
    series: tifffile.TiffPageSeries, shape: tuple[int, int, int], rows: slice, columns: slice
) -> NDArray[Any]:
    """Return `C x rows x columns` of a series of pages that are bands, or of one page of which the samples are.

    Args:
        series: pages of one size.
        shape: bands, height and width.
        rows: slice of rows.
        columns: slice of columns.
    """
    window = np.zeros((shape[0], rows.stop - rows.start, columns.stop - columns.start), series.dtype)
    for number, page in enumerate(series.pages):
        if page is None:
            continue
        for segment, (sample, _, top, left, _) in _segments(page, series.keyframe, rows, columns):
            first, last = max(rows.start, top), min(rows.stop, top + segment.shape[1])
            before, behind = max(columns.start, left), min(columns.stop, left + segment.shape[2])
            part = segment[0, first - top : last - top, before - left : behind - left].transpose(2, 0, 1)
            # One of the two is 0: either there are several pages or several samples.
            band = number + sample
            window[
                band : band + len(part),
                first - rows.start : last - rows.start,
                before - columns.start : behind - columns.start,
            ] = part
    return window


def _segments(
    page: tifffile.TiffPage | tifffile.TiffFrame, keyframe: tifffile.TiffPage, rows: slice, columns: slice
) -> Iterator[tuple[NDArray[Any], tuple[int, ...]]]:
    """Decode the segments under a window; each comes with its sample, depth, row, column and sample in the page."""
    handle = page.parent.filehandle
    height = keyframe.tilelength if keyframe.is_tiled else keyframe.rowsperstrip
    width = keyframe.tilewidth if keyframe.is_tiled else keyframe.imagewidth
    # A single strip is often said to have 2**32 - 1 rows.
    height = min(height, keyframe.imagelength) if not keyframe.is_tiled else height
    down, across = -(-keyframe.imagelength // height), -(-keyframe.imagewidth // width)
    separate = keyframe.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    for sample in range(keyframe.samplesperpixel if separate else 1):
        for row in range(rows.start // height, -(-rows.stop // height)):
            for column in range(columns.start // width, -(-columns.stop // width)):
                index = (sample * down + row) * across + column
                handle.seek(page.dataoffsets[index])
                data = handle.read(page.databytecounts[index])
                segment, position, _ = keyframe.decode(data or None, index, jpegtables=keyframe.jpegtables)
                # A tile of which nothing was stored is empty, as GDAL writes it.
                if segment is not None:
                    yield segment, position
