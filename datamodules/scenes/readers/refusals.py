"""Settings and values that a format has no use for."""

from pathlib import Path
from typing import Any

import numpy as np

from hyperalign.errors import InputError


class NotRealError(InputError):
    """The file is sound but holds something else than real numbers."""


def refuse_key(path: Path, key: str | None, why: str) -> None:
    """Refuse a key for a format that has none.

    Raises:
        ValueError: one sentence, if a key is given.
    """
    if key is not None:
        raise InputError(f"The key {key!r} names nothing in {path}, as {why}: leave the key out.")


def refuse_axes(path: Path, axes: str | None) -> None:
    """Refuse an order of axes for a format that has its own.

    Raises:
        ValueError: one sentence, if axes are given.
    """
    if axes is not None:
        raise InputError(f"The axes {axes!r} do not apply to {path}, whose format says its own: leave `axes` out.")


def refuse_objects(dtype: np.dtype[Any], path: Path) -> None:
    """Refuse arrays that hold no real numbers.

    Raises:
        ValueError: one sentence.
    """
    if not (np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating) or dtype == np.bool_):
        is_complex = np.issubdtype(dtype, np.complexfloating) or bool(set(dtype.names or ()) & {"imag", "i"})
        name = "complex" if is_complex and dtype.names else dtype.newbyteorder("=")
        raise NotRealError(f"The file {path} holds {name} values where real numbers are expected: save it as numbers.")
