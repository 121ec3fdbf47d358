"""Values that mean that nothing was measured: declared by a file, or usual marks that nobody declared."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperalign.errors import InputError

USUAL_MARKS = (-9999.0, -32768.0, -99999.0, -3.4028234663852886e38, -1.7976931348623157e308, 9.969209968386869e36)
"""What sensors' software and netCDF write where nothing was measured, often without saying so."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Missing:
    """The marks of missing values in one file.

    Attributes:
        declared: what the file, or its user, says; NaN and infinite values are missing in any case.
        usual: marks that count without being declared.
        word: how the file calls its marks (`data ignore value`), for sentences.
        valid: the least and the largest value that the file calls valid; what lies outside is missing.
    """

    declared: tuple[float, ...] = ()
    usual: tuple[float, ...] = USUAL_MARKS
    word: str = "declared"
    valid: tuple[float, float] = (-math.inf, math.inf)

    def mask(self, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return where values of a file's own type are missing; None if nowhere.

        Args:
            values: of any shape, as they are stored.
        """
        mask: NDArray[np.bool_] | None = None
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            mask = ~np.isfinite(values)
        for mark in self._marks(values.dtype):
            found = values == mark
            if found.any():
                mask = found if mask is None else mask | found
        if self._bounds(values.dtype):
            outside = (values < self.valid[0]) | (values > self.valid[1])
            if outside.any():
                mask = outside if mask is None else mask | outside
        return mask

    def may_occur(self, dtype: np.dtype[Any]) -> bool:
        """Tell whether values of a type can be missing at all."""
        return bool(np.issubdtype(dtype, np.floating) or self._marks(dtype) or self._bounds(dtype))

    def written(self, dtype: np.dtype[Any]) -> float | None:
        """Return the mark that is written where a value is missing; None if the type can hold none.

        Args:
            dtype: type of the values in the file to be.
        """
        for mark in self.declared:
            if math.isnan(mark) and np.issubdtype(dtype, np.floating):
                return mark
            if _as_stored(mark, dtype) is not None:
                return mark
        if np.issubdtype(dtype, np.floating):
            return math.nan
        if not self._bounds(dtype):
            return None
        limits = np.iinfo(dtype)
        return float(limits.min if limits.min < self.valid[0] else limits.max)

    def shown(self, values: NDArray[Any]) -> str:
        """Return missing values, as they are stored, for a sentence: `-9999, its data ignore value`.

        Args:
            values: the missing ones, not none.
        """
        first = values.ravel()[0]
        if not np.isfinite(first):
            return "NaN or infinite"
        number = f"{float(first):.9g}"
        if self.mask(values.ravel()[:1]) is None:
            return "where its mask is 0"
        if not self.valid[0] <= first <= self.valid[1]:
            return f"{number}, outside of its valid range"
        declared = {_as_stored(mark, values.dtype) for mark in self.declared}
        return f"{number}, its {self.word}" if first in declared else f"{number}, which usually marks them"

    def _bounds(self, dtype: np.dtype[Any]) -> bool:
        """Tell whether a type can hold values that are not valid."""
        if self.valid == (-math.inf, math.inf) or not np.issubdtype(dtype, np.number):
            return False
        if np.issubdtype(dtype, np.floating):
            return True
        limits = np.iinfo(dtype)
        return bool(limits.min < self.valid[0] or limits.max > self.valid[1])

    def _marks(self, dtype: np.dtype[Any]) -> list[Any]:
        """Return the marks as values of a type, those left out that it cannot hold."""
        stored = (_as_stored(mark, dtype) for mark in dict.fromkeys((*self.declared, *self.usual)))
        return [mark for mark in stored if mark is not None]


def _as_stored(mark: float, dtype: np.dtype[Any]) -> Any:  # noqa: ANN401
    """Return a mark as a value of a type; None where the type cannot hold it."""
    if np.issubdtype(dtype, np.floating):
        with np.errstate(over="ignore"):
            # Rounded as the file's writer has rounded it: -3.40282346638529e+38 in text is the lowest float32.
            value = np.float64(mark).astype(dtype)
        return value if np.isfinite(value) else None
    if not (np.issubdtype(dtype, np.integer) and math.isfinite(mark) and mark == int(mark)):
        return None
    limits = np.iinfo(dtype)
    return dtype.type(int(mark)) if limits.min <= mark <= limits.max else None


def refuse_marks(values: NDArray[Any], path: Path, marks: Missing | None = None) -> None:
    """Make sure that no value is a mark of missing ones; NaN and infinite ones are left for whoever names their place.

    Args:
        values: of any shape, as they are stored.
        path: their file.
        marks: what marks them; None takes the usual ones.

    Raises:
        ValueError: naming the mark and how often it is there.
    """
    marks = marks or Missing()
    lacking = marks.mask(values)
    if lacking is None:
        return
    found = values[lacking]
    if (found := found[np.isfinite(found)]).size:
        raise InputError(
            f"The file {path} holds missing values ({marks.shown(found)}), {found.size} in all: fill or crop them, or "
            "leave the scene out."
        )


def valid_range(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the least and the largest valid value that netCDF's `valid_range`, or `valid_min` and `valid_max`, state.

    Values of packed data are compared as they are stored. Limits of another type than theirs are of unpacked values
    (netCDF's conventions), and are packed.

    Args:
        attributes: of the variable.
        dtype: type of its values.

    Returns:
        Infinite limits where there are none, or what is stated is no range.
    """
    stated = {name.lower(): np.asarray(value) for name, value in attributes.items() if name.lower() in _VALID}
    ends = [stated.get("valid_min"), stated.get("valid_max")]
    if (both := stated.get("valid_range")) is not None and both.size == 2:
        ends = [both.ravel()[:1], both.ravel()[1:]]
    low, high = (_end(end, attributes, dtype, open_end) for end, open_end in zip(ends, _OPEN, strict=True))
    return (low, high) if low < high else _OPEN


_VALID = ("valid_range", "valid_min", "valid_max")
_OPEN = (-math.inf, math.inf)


def _end(stated: Any, attributes: Mapping[str, Any], dtype: np.dtype[Any], open_end: float) -> float:  # noqa: ANN401
    """Return one limit as a stored value."""
    if stated is None or stated.size != 1:
        return open_end
    try:
        value = float(stated.item())
        if stated.dtype != dtype and stated.dtype.kind == "f" and dtype.kind in "iu":
            value = (value - float(np.asarray(attributes.get("add_offset", 0.0)).item())) / float(
                np.asarray(attributes.get("scale_factor", 1.0)).item()
            )
    except (TypeError, ValueError, ZeroDivisionError):
        return open_end
    return value if math.isfinite(value) else open_end


def declared_marks(stated: object) -> tuple[float, ...]:
    """Return the marks that a file states, as numbers or as text; what is no number declares nothing.

    Args:
        stated: a number, text that holds numbers (`-9999`, `{-9999, -9999}`, `nan`), or an array or list of them.
    """
    if stated is None:
        return ()
    if isinstance(stated, bytes):
        stated = stated.decode(errors="replace")
    if isinstance(stated, str):
        numbers: Iterable[Any] = _NUMBER.findall(stated)
    else:
        numbers = np.asarray(stated).ravel().tolist()
    found: dict[float, None] = {}
    for number in numbers:
        try:
            value = float(number if not isinstance(number, bytes) else number.decode(errors="replace"))
        except (TypeError, ValueError, OverflowError):
            continue
        # NaN is not equal to itself, and is missing without being declared; it decides what is written.
        if not (math.isnan(value) and any(math.isnan(mark) for mark in found)):
            found[value] = None
    return tuple(found)
