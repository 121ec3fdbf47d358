"""How much memory one read of a file may take, so that a small file cannot ask for all of it."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from hyperalign.errors import InputError

MAX_BYTES = 16 << 30
"""The stated limit: bytes that one cube, or one window of it, may take in memory when it is decoded."""


class TooLargeError(InputError):
    """A file that may be sound but asks for more memory than is allowed."""


def check_bytes(path: Path, shape: Sequence[int], dtype: DTypeLike, limit: int, what: str) -> None:
    """Make sure that an array may be decoded.

    Args:
        path: its file.
        shape: its axes.
        dtype: its type.
        limit: bytes that it may take.
        what: what is decoded, for the sentence: "whole", "a window".

    Raises:
        TooLargeError: one sentence with both sizes.
    """
    size = math.prod(int(side) for side in shape) * np.dtype(dtype).itemsize
    if size > limit:
        raise TooLargeError(
            f"The file {path} of {path.stat().st_size:,} bytes is decoded {what} into {size:,} bytes of memory, more "
            f"than the limit max_bytes = {limit:,}: if the file is to be trusted, raise that limit."
        )
