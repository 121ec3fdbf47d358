"""Stripes: columns of a band that are offset as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from datamodules.estimation.differences import Floats, Mask

Profile = NDArray[np.float64]
"""One value a column."""

_WINDOW = 9
_PARTS = 8
_SURE = 4.0
_SMALLEST = 0.004
_NEIGHBOURS = 6
_OF_THE_SCENE = 0.5


@dataclass(frozen=True)
class StripeLevel:
    """The stripes of one band.

    Attributes:
        share: of its columns, how many are offset, corrected for those too faint to be seen.
        amplitude: the offsets are taken to be uniform on [-amplitude, amplitude].
        seen: which columns are surely offset.
    """

    share: float = 0.0
    amplitude: float = 0.0
    seen: Mask = field(default_factory=lambda: np.zeros(0, dtype=bool), compare=False)


@dataclass(frozen=True)
class _Columns:
    """Offset and its uncertainty of every column of a band, and which columns were measured."""

    offsets: Profile
    noise: Profile
    usable: Mask


def stripe_levels(cube: Floats, valid: Mask, sigmas: Sequence[float]) -> list[StripeLevel]:
    """Measure the stripes along the columns of every band; transpose the cube for those along rows.

    The offset of a column is its mean over all rows, less the median of its neighbours'. What differs from one part of
    the column to the next is the scene's, and counts as uncertainty; so does what the neighbouring bands share: each
    band and column of a sensor is a detector of its own. A column that is offset alike in most bands is not found.

    Args:
        cube: `C x H x W`.
        valid: `C x H x W`, which values can be used.
        sigmas: standard deviation of every band's noise.

    Returns:
        One level a band.
    """
    bands = [_columns(*one) for one in zip(cube, valid, sigmas, strict=True)]
    known = [number for number, band in enumerate(bands) if band.usable.any()]
    levels = [StripeLevel(seen=np.zeros(len(band.usable), dtype=bool)) for band in bands]
    for number in known:
        # An even number of neighbours in the spectrum, as near as there are.
        near = sorted(set(known) - {number}, key=partial(_distance, number))
        shared = np.median([bands[other].offsets for other in near[:_NEIGHBOURS]], axis=0) if near else None
        levels[number] = _level(bands[number], shared)
    return levels


def _distance(one: int, other: int) -> int:
    return abs(one - other)


def _level(band: _Columns, shared: Profile | None) -> StripeLevel:
    nothing = StripeLevel(seen=np.zeros(len(band.usable), dtype=bool))
    if band.usable.sum() < 2 * _WINDOW:
        return nothing
    scene = np.zeros_like(band.offsets) if shared is None else _slope(band.offsets, shared) * shared
    offsets = band.offsets - scene
    # The neighbours' median carries noise of its own.
    limits = np.maximum(_SURE * 1.15 * band.noise, _SMALLEST) + _OF_THE_SCENE * np.abs(scene)
    seen = band.usable & (np.abs(offsets) > limits)
    if seen.sum() < 2:
        return nothing
    amplitude = float(np.abs(offsets[seen]).max()) * (seen.sum() + 1) / seen.sum()
    # Of uniform offsets, those below the limit are not seen.
    visible = max(float(np.clip(1.0 - limits[band.usable] / amplitude, 0.0, 1.0).mean()), 0.25)
    return StripeLevel(min(1.0, float(seen.sum() / band.usable.sum()) / visible), amplitude, seen)


def _slope(offsets: Profile, shared: Profile) -> float:
    """Return how much of the neighbouring bands' profile a band has, stripes left out."""
    kept, slope = np.ones(len(offsets), dtype=bool), 1.0
    for _ in range(3):
        power = float(np.square(shared[kept]).sum())
        if power <= 0:
            return 0.0
        slope = float((offsets[kept] * shared[kept]).sum()) / power
        rest = np.abs(offsets - slope * shared)
        kept = rest <= 4.5 * np.median(rest)
    return slope


def _columns(band: Floats, valid: Mask, sigma: float) -> _Columns:
    from scipy.ndimage import median_filter

    number = valid.sum(axis=0)
    usable: Mask = number >= max(4, len(band) // 50)
    parts = []
    for rows in np.array_split(np.arange(len(band)), min(_PARTS, len(band))):
        mean = _mean(band[rows], valid[rows])
        parts.append(mean - median_filter(mean, _WINDOW, mode="nearest"))
    stack = np.stack(parts)
    between = stack.std(axis=0, ddof=1) / np.sqrt(len(stack))
    # A column that lost pixels also differs from its neighbours by which rows it lost.
    lost = 1.0 - number / len(band)
    sampling = np.sqrt(sigma**2 + lost * _variance(band, valid)) / np.sqrt(np.maximum(number, 1))
    noise = np.maximum(np.maximum(sampling, between), np.median(between[usable]) if usable.any() else 0.0)
    mean = _mean(band, valid)
    return _Columns(mean - median_filter(mean, _WINDOW, mode="nearest"), noise, usable)


def _mean(rows: Floats, valid: Mask) -> Profile:
    """Return the mean of every column, interpolated over columns without a valid pixel."""
    number = valid.sum(axis=0)
    known = np.flatnonzero(number)
    if not len(known):
        return np.zeros(len(number))
    total = np.where(valid, rows, 0).sum(axis=0, dtype=np.float64)
    mean: Profile = np.interp(np.arange(len(number)), known, total[known] / number[known])
    return mean


def _variance(band: Floats, valid: Mask) -> float:
    """Return the variance of the valid pixels of a band."""
    return float(band[valid].var(dtype=np.float64)) if valid.any() else 0.0
