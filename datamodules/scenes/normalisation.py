"""Values of a file brought to the scale that networks know, and back: four rules, one affine map."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers import CubeFile
from hyperalign.errors import InputError

RULES = "none, maximum, minmax, scale:VALUE (for example scale:10000) or checkpoint"
CHECKPOINT = "checkpoint"
LARGEST = 4.0
"""Values beyond this, of either sign, are not on the scale of networks: noise and glints leave [0, 1], but not so."""

_MEDIAN_VALUES = 1 << 24
_STRIP_VALUES = 1 << 23


@dataclass(frozen=True)
class Normalisation:
    """The map from a file's values x to the network's, (x - offset) / scale."""

    offset: float = 0.0
    scale: float = 1.0

    @property
    def white(self) -> float:
        """The file's value that becomes 1."""
        return self.offset + self.scale


@dataclass(frozen=True)
class Statistics:
    """What one pass over a cube finds in the bands that are used.

    Attributes:
        low: smallest value that is not missing.
        high: largest value that is not missing.
        missing: number of values that are missing: NaN, infinite, or marked.
        medians: median of every band's other values, 0 for a band that has none; of a regular grid of the pixels where
            the cube has more than 2^24 values, so that they need not be held all at once.
        lows: smallest value of every band, plus infinity for a band that has none.
        highs: largest value of every band, minus infinity for a band that has none.
    """

    low: float
    high: float
    missing: int
    medians: NDArray[np.float32]
    lows: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    highs: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def over(self, places: NDArray[np.intp]) -> "Statistics":
        """Return the statistics with the extremes of some of the bands only.

        Args:
            places: which of the bands, counted as they were given to `measured`.
        """
        return replace(self, low=float(self.lows[places].min()), high=float(self.highs[places].max()))


def check_rule(rule: str) -> str:
    """Return a normalisation rule if there is one of this name.

    Raises:
        ValueError: for any other text, or a scale that is not positive.
    """
    name, _, value = rule.partition(":")
    try:
        known = float(value) > 0 and math.isfinite(float(value)) if name == "scale" else not value
    except ValueError:
        known = False
    if not known or name not in ("none", "maximum", "minmax", "scale", CHECKPOINT):
        raise InputError(f"The normalisation {rule!r} is unknown: choose {RULES}.")
    return rule


def reads_all_values(rule: str) -> bool:
    """Tell whether a rule needs `measured` first."""
    return rule in ("maximum", "minmax")


def normalisation_of(rule: str, statistics: Statistics | None) -> Normalisation:
    """Return the map of a rule.

    Args:
        rule: `none`: values stay. `maximum`: the largest value becomes 1. `minmax`: the smallest becomes 0, the largest
            1. `scale:VALUE`: VALUE becomes 1. A cube without contrast, or of nothing above 0, is not scaled.
        statistics: of the cube, for the rules that need them.
    """
    if rule.startswith("scale:"):
        return Normalisation(0.0, float(rule.partition(":")[2]))
    if statistics is None or rule == "none":
        return Normalisation()
    if rule == "maximum":
        return Normalisation(0.0, statistics.high if statistics.high > 0 else 1.0)
    span = statistics.high - statistics.low
    return Normalisation(statistics.low, span if span > 0 else 1.0)


def measured(file: CubeFile, bands: NDArray[np.intp], medians: bool) -> Statistics:
    """Read a cube once, strip by strip.

    Args:
        file: an open cube.
        bands: the bands that count.
        medians: whether the medians are needed; else they are 0.

    Raises:
        ValueError: if the cube holds no value that is not missing, or its file is damaged.
    """
    _, height, width = file.shape
    step = max(1, _STRIP_VALUES // (file.shape[0] * width))
    stride = math.ceil(math.sqrt(max(1.0, len(bands) * height * width / _MEDIAN_VALUES)))
    lows, highs = np.full(len(bands), np.inf), np.full(len(bands), -np.inf)
    missing, grid = 0, []
    for row in range(0, height, step):
        strip = file.window(row, 0, min(step, height - row), width)[bands]
        mask = file.missing(row, 0, strip)
        if mask is None:
            lowest, highest = strip.min(axis=(1, 2)), strip.max(axis=(1, 2))
        else:
            missing += int(np.count_nonzero(mask))
            lowest, highest = extremes(strip, mask)
        lows, highs = np.minimum(lows, lowest), np.maximum(highs, highest)
        if medians:
            known = strip if mask is None else np.where(mask, np.nan, strip.astype(np.float32))
            grid.append(known[:, -row % stride :: stride, ::stride].astype(np.float32))
    if not np.isfinite(lows).any():
        raise InputError(f"The cube {file.path} holds no value that is not NaN, infinite or missing: leave it out.")
    centre = _medians(np.concatenate(grid, axis=1) if grid else None, len(bands))
    return Statistics(float(lows.min()), float(highs.max()), missing, centre, lows, highs)


def extremes(values: NDArray[Any], mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest value of every band that is not masked; infinities where there is none."""
    known = values.astype(np.float64)
    lowest: NDArray[np.float64] = known.min(axis=(1, 2), where=~mask, initial=np.inf)
    highest: NDArray[np.float64] = known.max(axis=(1, 2), where=~mask, initial=-np.inf)
    return lowest, highest


def _medians(grid: NDArray[np.float32] | None, bands: int) -> NDArray[np.float32]:
    centre = np.zeros(bands, dtype=np.float32)
    for band, plane in enumerate(() if grid is None else grid):
        if len(values := plane[np.isfinite(plane)]):
            centre[band] = np.median(values)
    return centre
