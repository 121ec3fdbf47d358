"""Values of a file brought to the scale that networks know, and back: four rules, one affine map."""

import math
from dataclasses import dataclass
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
        low: smallest finite value.
        high: largest finite value.
        missing: number of values that are NaN or infinite.
        medians: median of every band's finite values, 0 for a band that has none; of a regular grid of the pixels where
            the cube has more than 2^24 values, so that they need not be held all at once.
    """

    low: float
    high: float
    missing: int
    medians: NDArray[np.float32]


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
        ValueError: if the cube holds no finite value, or its file is damaged.
    """
    _, height, width = file.shape
    step = max(1, _STRIP_VALUES // (file.shape[0] * width))
    stride = math.ceil(math.sqrt(max(1.0, len(bands) * height * width / _MEDIAN_VALUES)))
    low, high, missing, grid = math.inf, -math.inf, 0, []
    for row in range(0, height, step):
        strip = file.window(row, 0, min(step, height - row), width)[bands]
        finite = _finite(strip)
        if finite is None:
            low, high = min(low, float(strip.min())), max(high, float(strip.max()))
        else:
            missing += int(finite.size - np.count_nonzero(finite))
            low = min(low, float(strip.min(where=finite, initial=np.inf)))
            high = max(high, float(strip.max(where=finite, initial=-np.inf)))
        if medians:
            grid.append(strip[:, -row % stride :: stride, ::stride].astype(np.float32))
    if not math.isfinite(low):
        raise InputError(f"The cube {file.path} holds no value that is not NaN or infinite: leave it out.")
    return Statistics(low, high, missing, _medians(np.concatenate(grid, axis=1) if grid else None, len(bands)))


def _medians(grid: NDArray[np.float32] | None, bands: int) -> NDArray[np.float32]:
    centre = np.zeros(bands, dtype=np.float32)
    for band, plane in enumerate(() if grid is None else grid):
        if len(values := plane[np.isfinite(plane)]):
            centre[band] = np.median(values)
    return centre


def _finite(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return where values are finite; None where they cannot be anything else."""
    return np.isfinite(values) if np.issubdtype(values.dtype, np.floating) else None
