"""What is handed over in memory: arrays of any kind, with what is missing in them, as the network is given it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.scenes.band_matching import BandMatch
from datamodules.scenes.facts.missing import Missing
from hyperalign.errors import InputError, WrongTypeError

__all__ = ["Given", "given_values", "with_missing"]


@dataclass(frozen=True)
class Given:
    """The values of an array.

    Attributes:
        values: `C x H x W`, float32, in a copy; every missing value filled.
        missing: where values were missing; None if nowhere.
        mark: what stood there: NaN, or the one number that marked them.
        masked: whether it was a masked array.
    """

    values: NDArray[np.float32]
    missing: NDArray[np.bool_] | None
    mark: float
    masked: bool


def given_values(
    given: object,
    what: str,
    rule: Literal["refuse", "keep"] = "refuse",
    marks: Sequence[float] | None = None,
    setting: str = "`nan`",
) -> Given:
    """Return the values of an array or a tensor.

    Missing values are those that a masked array masks, NaN, infinite ones, and marks such as -9999.

    Args:
        given: a NumPy array or a tensor of real numbers, `C x H x W`.
        what: what it is, for the sentence.
        rule: what to do with missing values: `refuse` them, or `keep` them, which fills them for the network: with the
            median of their band, and a band that has none with its neighbours.
        marks: of missing values; None takes the usual ones.
        setting: where the rule is set, for the sentence; empty where it cannot be.

    Raises:
        WrongTypeError: for anything else, or numbers that are not real.
        InputError: for another number of axes, nothing at all, or values that are missing, under the rule `refuse` or
            everywhere.
    """
    stored, masked = _stored(given, what)
    if stored.dtype.kind not in "fiu":
        raise WrongTypeError(f"The {what} holds {stored.dtype} values: give real numbers.")
    if stored.ndim != 3 or not stored.size:
        shape = " x ".join(map(str, stored.shape)) or "no axis"
        raise InputError(f"The {what} has the shape {shape}: give C x H x W, one image at a time.")
    with np.errstate(over="ignore"):
        values = np.array(stored, dtype=np.float32)
    known = Missing() if marks is None else Missing(tuple(float(mark) for mark in marks), (), "declared mark")
    missing = known.mask(stored)
    beyond = ~np.isfinite(values)
    for mask in (masked, beyond if beyond.any() else None):
        missing = missing if mask is None else mask if missing is None else missing | mask
    if missing is None:
        return Given(values, None, float("nan"), masked is not None)
    if rule == "refuse":
        keeping = (
            f", or set {setting} to keep, which gives the network the band's median there and leaves them missing in "
            "the result"
        )
        raise InputError(f"{_refusal(what, stored, missing, masked, known)}{keeping if setting else ''}.")
    found = stored[missing]
    one = bool(np.isfinite(found).all()) and len(np.unique(found)) == 1 and masked is None
    _fill(values, missing, what)
    return Given(values, missing, float(found[0]) if one else float("nan"), masked is not None)


def _stored(given: object, what: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return the values as they were given, and where a masked array masks them."""
    if isinstance(given, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(given)
        return np.asarray(given.data), mask if mask.any() else None
    if isinstance(given, np.ndarray):
        return np.asarray(given), None
    if not isinstance(given, torch.Tensor):
        raise WrongTypeError(f"The {what} is a {type(given).__name__}: give a NumPy array or a tensor, C x H x W.")
    if given.is_meta or given.is_quantized:
        kind = "has no values (device meta)" if given.is_meta else f"holds {given.dtype} values, which are quantized"
        raise WrongTypeError(f"The {what} {kind}: give real numbers.")
    dense = given.detach().cpu().to_dense()
    array: NDArray[Any] = dense.float().numpy() if dense.dtype == torch.bfloat16 else dense.numpy()
    return array, None


def _refusal(
    what: str, stored: NDArray[Any], missing: NDArray[np.bool_], masked: NDArray[np.bool_] | None, known: Missing
) -> str:
    """Name the first missing value, its place and what to do."""
    band, row, column = np.argwhere(missing)[0].tolist()
    value = stored[band, row, column]
    if masked is not None and masked[band, row, column]:
        found = "masked values"
    elif known.mask(stored[band, row, column : column + 1]) is None:
        found = "values beyond those of float32"
    elif not np.isfinite(value):
        found = "NaN or infinite values"
    else:
        found = f"missing values ({known.shown(stored[missing & (stored == value)])})"
    return f"The {what} holds {found}, the first in band {band} at row {row}, column {column}: fill or cut them out"


def _fill(values: NDArray[np.float32], missing: NDArray[np.bool_], what: str) -> None:
    """Put each band's median in place of what is missing, in place; a band without any value lies between others."""
    lacking = missing.all(axis=(1, 2))
    if lacking.all():
        raise InputError(f"The {what} holds no value that is not missing: leave it out.")
    for plane, holes in zip(values, missing, strict=True):
        if holes.any() and not holes.all():
            plane[holes] = np.median(plane[~holes])
    sound = np.flatnonzero(~lacking)
    for band in np.flatnonzero(lacking):
        place = np.interp(float(band), sound, np.arange(len(sound)))
        left, right = sound[int(np.floor(place))], sound[int(np.ceil(place))]
        share = 0.0 if left == right else (band - left) / (right - left)
        values[band] = (1.0 - share) * values[left] + share * values[right]


def with_missing(
    restored: NDArray[np.float32], cube: Given, other: Given | None, match: BandMatch | None
) -> NDArray[np.float32]:
    """Return the bands of a restored cube that are wanted, with their missing values.

    Args:
        restored: the network's bands, `C x H x W`, or as much larger as the network enlarges.
        cube: what it was made from.
        other: the multispectral image that it was made from as well; where a value of it is missing, all bands are.
        match: how the cube's bands became the network's; None where they are the network's.
    """
    restored = restored if match is None else restored[list(match.kept)]
    masks: list[NDArray[np.bool_]] = []
    if cube.missing is not None:
        missing = cube.missing if match is None else match.missing(cube.missing)[list(match.kept)]
        masks.append(missing)
    if other is not None and other.missing is not None:
        masks.append(np.asarray(other.missing.any(axis=0, keepdims=True)))
    lacking = np.zeros(restored.shape, dtype=bool)
    for mask in masks:
        factor = restored.shape[-2] // mask.shape[-2]
        lacking |= mask.repeat(factor, axis=-2).repeat(factor, axis=-1)
    if cube.masked:
        return np.ma.masked_array(restored, lacking)
    if lacking.any():
        restored = restored.copy()
        restored[lacking] = cube.mark
    return restored
