"""A cube in a file of which windows are read without reading the rest, whatever the format."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperalign.errors import InputError

_STRIP_VALUES = 1 << 23


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

        Raises:
            ValueError: if the window leaves the cube, or the file is damaged there.
        """
        self._check_window(row, column, height, width)
        part = self._read(slice(row, row + height), slice(column, column + width))
        # A copy in any case: a view would keep the whole map or the whole decoded cube alive.
        return np.array(part, dtype=part.dtype.newbyteorder("="), order="C")

    def maximum(self, row: int, column: int, height: int, width: int) -> float:
        """Return the largest finite value in a window, without holding more than a strip of it in memory.

        Raises:
            ValueError: if the window leaves the cube, or the file is damaged there.
        """
        step = max(1, _STRIP_VALUES // max(1, self.shape[0] * width))
        return max(
            largest_finite(self.window(first, column, min(step, row + height - first), width))
            for first in range(row, row + max(1, height), step)
        )

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


def largest_finite(values: NDArray[Any]) -> float:
    """Return the largest value that is neither NaN nor infinite, minus infinity if there is none."""
    if not np.issubdtype(values.dtype, np.floating):
        return float(values.max())
    return float(values.max(where=np.isfinite(values), initial=-np.inf))


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
