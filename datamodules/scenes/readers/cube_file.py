"""A cube in a file of which windows are read without reading the rest, whatever the format."""

import copy
import mmap
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.ground import Ground
from datamodules.scenes.facts.limits import MAX_BYTES, check_bytes
from datamodules.scenes.facts.missing import Missing
from datamodules.scenes.readers.centres import Centres
from hyperalign.errors import InputError

_STRIP_VALUES = 1 << 23

_MAPPED_BYTES = 1 << 26
"""Whole lines of a mapped file that a window touches before they are let go of."""


class CubeFile(ABC):
    """What every reader of cubes offers; `open_cube` chooses the reader.

    Args:
        path: the file or folder.
        shape: bands, height and width.
        dtype: type of the values in the file.
        wavelengths: centres of the bands in nm, None if nobody says.
        metadata: anything else the file says, as text.

    Attributes:
        path: the file or folder.
        marks: the values that mean that nothing was measured; windows hold them as they are stored.
        stated: the centres as the file states them, in its own unit; None if it does not.
        unit_beside: name and text of the variable that says that unit, in files of several variables.
        bad_bands: numbers of the bands that the file calls unusable.
        max_bytes: bytes that one window, or the whole cube where it must be decoded whole, may take in memory.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        wavelengths: tuple[float, ...] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self._shape = shape
        self._dtype = dtype.newbyteorder("=")
        self._wavelengths = wavelengths
        self._metadata = MappingProxyType(dict(metadata or {}))
        self.marks = Missing()
        self.stated: Centres | None = None
        self.unit_beside: tuple[str, str] | None = None
        self.bad_bands: tuple[int, ...] = ()
        self.max_bytes = MAX_BYTES

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width, from the file's header."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values in the file, in this machine's byte order."""
        return self._dtype

    @property
    def wavelengths(self) -> tuple[float, ...] | None:
        """Centres of the bands in nm, None if neither the file nor its user says them."""
        return self._wavelengths

    @property
    def metadata(self) -> Mapping[str, str]:
        """What else the file says, as text: its variable, its header's entries, its place on the ground."""
        return self._metadata

    def window(self, row: int, column: int, height: int, width: int) -> NDArray[Any]:
        """Return a copy of all bands of a window, `C x height x width`, in the file's own type.

        Missing values are returned as they are stored; `missing` tells where they are.

        Raises:
            ValueError: if the window leaves the cube or would take more memory than `max_bytes`, or the file is damaged
                there.
        """
        self._check_window(row, column, height, width)
        check_bytes(self.path, (self.shape[0], height, width), self.dtype, self.max_bytes, "in a window")
        part = self._read(slice(row, row + height), slice(column, column + width))
        # A copy in any case: a view would keep the whole map or the whole decoded cube alive.
        values = np.empty(part.shape, part.dtype.newbyteorder("="))
        line = self.shape[0] * self.shape[2] * part.dtype.itemsize
        step = max(1, _MAPPED_BYTES // line) if mapped_file(part) is not None else max(1, height)
        for first in range(0, height, step):
            values[:, first : first + step] = part[:, first : first + step]
            release(part)
        return values

    @property
    def may_lack_values(self) -> bool:
        """Whether values of this cube can be missing at all."""
        return self.marks.may_occur(self.dtype)

    def missing(self, row: int, column: int, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return where values mean that nothing was measured; None if nowhere.

        Args:
            row: first row of the window that the values are of.
            column: its first column.
            values: `C x height x width`, all bands or some of them, as `window` returned them.
        """
        return self.marks.mask(values)

    def ground(self) -> Ground | None:
        """Return the outline of the image on the ground, as far as the file says one that can be compared."""
        return None

    def complete(self, row: int, column: int, height: int, width: int) -> NDArray[Any]:
        """Return a window as `window` does, of which every value was measured.

        Raises:
            ValueError: naming the first missing value and its place; or as `window`.
        """
        values = self.window(row, column, height, width)
        if (mask := self.missing(row, column, values)) is not None:
            band, first, second = np.argwhere(mask)[0].tolist()
            raise InputError(
                f"The cube {self.path} holds missing values ({self.marks.shown(values[mask])}), "
                f"{np.count_nonzero(mask)} in this part, the first in band {band} at row {row + first}, column "
                f"{column + second}: crop or fill them, or leave the cube out."
            )
        return values

    def maximum(self, row: int, column: int, height: int, width: int) -> float:
        """Return the largest value in a window that is not missing, without holding more than a strip of it in memory.

        Raises:
            ValueError: if the window leaves the cube, or the file is damaged there.
        """
        step = max(1, _STRIP_VALUES // max(1, self.shape[0] * width))
        largest = -np.inf
        for first in range(row, row + max(1, height), step):
            values = self.window(first, column, min(step, row + height - first), width)
            largest = max(largest, largest_of(values, self.missing(first, column, values)))
        return largest

    def as_template(self, height: int, width: int, with_centres: bool = True) -> Self:
        """Return what this file says of itself, for a cube of another number of pixels; its values cannot be read.

        Args:
            height: rows of that cube.
            width: its columns.
            with_centres: whether that cube has the same bands; if not, nothing is said of their centres.
        """
        other = copy.copy(self)
        other._shape = (self._shape[0], height, width)
        if not with_centres:
            other._wavelengths, other.stated = None, None
        return other

    def _check_window(self, row: int, column: int, height: int, width: int) -> None:
        _, rows, columns = self.shape
        if min(row, column) < 0 or min(height, width) < 1 or row + height > rows or column + width > columns:
            raise InputError(
                f"The window of {height} x {width} pixels at row {row}, column {column} leaves the cube {self.path} of "
                f"{rows} x {columns} pixels: choose a smaller window."
            )

    @abstractmethod
    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Return `C x rows x columns`, a view or a copy, of any byte order."""


def mapped_file(array: NDArray[Any]) -> mmap.mmap | None:
    """Return the map of a file that an array is a view of, None where it has memory of its own."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def release(array: NDArray[Any]) -> None:
    """Let go of what was read of a mapped file: its pages are read again where they are wanted again.

    Whole pages are mapped whatever is wanted of them, and count as memory of the process as long as the map lives: a
    window of 512 x 512 of 120 bands, interleaved by lines of 4,000 values, takes a GiB beside its own 120 MiB.
    """
    mapped = mapped_file(array)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def take(data: Any, order: tuple[int, int, int], rows: slice, columns: slice) -> NDArray[Any]:  # noqa: ANN401
    """Return the window of an array of any order of axes as `C x rows x columns`.

    Args:
        data: whatever is indexed as a three-dimensional array: an array, a map, an HDF5 data set.
        order: its axes that hold bands, rows and columns (`datamodules.scenes.readers.axes`).
        rows: slice of rows.
        columns: slice of columns.
    """
    index = [slice(None)] * 3
    index[order[1]], index[order[2]] = rows, columns
    part: NDArray[Any] = data[tuple(index)]
    return part.transpose(order)


def largest_of(values: NDArray[Any], missing: NDArray[np.bool_] | None) -> float:
    """Return the largest value that is not missing, minus infinity if there is none."""
    if missing is None:
        return float(values.max())
    known = values[~missing]
    return float(known.max()) if known.size else -float("inf")


def check_depth(cube: CubeFile, full_scale: float) -> None:
    """Make sure that a cube of integers can reach the value that is taken for white.

    Args:
        cube: an open cube.
        full_scale: the value that becomes 1.

    Raises:
        ValueError: one sentence, for 8-bit values where 16 bits are expected and the like.
    """
    if not np.issubdtype(cube.dtype, np.integer):
        return
    largest = int(np.iinfo(cube.dtype).max)
    if largest * 8 < full_scale:
        raise InputError(
            f"The cube {cube.path} holds {cube.dtype} values, at most {largest}, where a full scale of {full_scale:g} "
            f"is expected, so it would come out {full_scale / largest:.0f} times too dark: use the file of the full "
            f"depth, or set the full scale to {largest}."
        )


def check_shape(shape: Sequence[int], expected: Sequence[int], what: str) -> None:
    """Make sure that an array has the shape that its data set is known to have.

    Args:
        shape: what was found.
        expected: what there must be.
        what: the array and its file, for the sentence.

    Raises:
        ValueError: one sentence, which tells exchanged axes from another size.
    """
    if tuple(shape) == tuple(expected):
        return
    found, wanted = (" x ".join(map(str, sizes)) for sizes in (shape, expected))
    if sorted(shape) == sorted(expected):
        raise InputError(
            f"The axes of {what} are exchanged, {found} where {wanted} is expected: save it again with its axes in "
            "this order, or use the original file."
        )
    raise InputError(
        f"The size of {what} is {found} where {wanted} is expected: it is another data set or has been cropped, so use "
        "the original file."
    )
