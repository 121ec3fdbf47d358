"""A cube in a file of which windows are read without reading the rest, whatever the format."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class CubeFile(Protocol):
    """What every reader of large cubes offers; `MatCube` and `EnviCube` do."""

    path: Path
    """The file."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width, from the file's header."""

    def window(self, row: int, column: int, height: int, width: int) -> NDArray[Any]:
        """Return all bands of a window, `C x height x width`, in the file's own type."""

    def maximum(self, row: int, column: int, height: int, width: int) -> float:
        """Return the largest finite value in a window, without holding the window in memory."""


def largest_finite(values: NDArray[Any]) -> float:
    """Return the largest value that is neither NaN nor infinite, minus infinity if there is none."""
    if not np.issubdtype(values.dtype, np.floating):
        return float(values.max())
    return float(values.max(where=np.isfinite(values), initial=-np.inf))


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
        raise ValueError(
            f"The axes of {what} are exchanged, {found} where {wanted} is expected: save it again with its axes in "
            "this order, or use the original file."
        )
    raise ValueError(
        f"The size of {what} is {found} where {wanted} is expected: it is another data set or has been cropped, so use "
        "the original file."
    )
