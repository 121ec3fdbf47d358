"""What a detector did not measure: missing bands, dead lines and impulses, each known by values that repeat exactly."""

from dataclasses import dataclass

import numpy as np

from datamodules.estimation.differences import Floats, Mask

_SPIKE_SHARE = 0.004
_SPIKE_OVER_NEIGHBOURS = 20.0
_FAR = 3.5
_CLUSTERED = 1.6
_NEIGHBOURS = 4
_OF_A_COLUMN = 0.02


@dataclass(frozen=True)
class Spike:
    """A value that many pixels of a band share exactly, as saturated, dead and clipped ones do.

    Attributes:
        value: the value.
        share: of the pixels of the band that are not on dead lines, how many hold it by chance alone.
        clustered: whether its pixels lie together, as in a black background, and are part of the scene.
    """

    value: float
    share: float
    clustered: bool


def missing_bands(cube: Floats) -> Mask:
    """Return which bands of `C x H x W` hold one value everywhere."""
    flat = cube.reshape(len(cube), -1)
    missing: Mask = flat.max(axis=1) == flat.min(axis=1)
    return missing


def dead_columns(cube: Floats) -> Mask:
    """Return which columns of which bands, `C x W` of `C x H x W`, hold one value from the first row to the last.

    A column that holds one value in every band is a border without data and not dead.
    """
    constant = cube.max(axis=1) == cube.min(axis=1)
    border = constant.all(axis=0)
    dead: Mask = constant & ~border
    return dead


def spike_values(values: Floats) -> list[float]:
    """Return the values that far more pixels hold than hold their neighbours in value.

    Args:
        values: pixels of one band, in any shape.
    """
    found, counts = np.unique(values, return_counts=True)
    frequent = np.flatnonzero(counts >= max(3.0, _SPIKE_SHARE * values.size))
    spikes = []
    for place in frequent:
        near = np.r_[counts[max(place - _NEIGHBOURS, 0) : place], counts[place + 1 : place + 1 + _NEIGHBOURS]]
        if not near.size or counts[place] > _SPIKE_OVER_NEIGHBOURS * np.median(near):
            spikes.append(float(found[place]))
    return spikes


def measured_spike(band: Floats, value: float, valid: Mask, columns: Mask, sigma: float) -> Spike:
    """Return how many pixels hold a value by chance, and whether they do so by chance at all.

    Noise that was clipped piles up at a value as well, but only where the scene is near it: pixels are counted where
    it is far away, if there are enough.

    Args:
        band: `H x W`.
        value: what is counted.
        valid: `H x W`, pixels that hold no such value.
        columns: `W`, which columns are not dead.
        sigma: standard deviation of the noise.
    """
    from scipy.ndimage import uniform_filter

    hit = band == value
    weight = uniform_filter(valid.astype(np.float32), 9, mode="nearest")
    level = uniform_filter(np.where(valid, band, 0).astype(np.float32), 9, mode="nearest")
    known = weight > 0.02
    level = np.divide(level, weight, out=np.full_like(level, np.nan), where=known)
    usable = np.broadcast_to(columns, band.shape)
    far = usable & known & (np.abs(level - np.float32(value)) > max(_FAR * sigma, 1e-3))
    where = far if far.sum() > 0.05 * usable.sum() else usable
    share = float(hit[where].mean()) if where.any() else 0.0
    beside = where[:, 1:] & where[:, :-1]
    together = float((hit[:, 1:] & hit[:, :-1])[beside].mean()) if beside.any() else 0.0
    return Spike(value, share, together > _CLUSTERED * max(share, 1e-9) ** 2 and share < 0.6)


def without_spikes(band: Floats, values: list[float]) -> Mask:
    """Return which pixels of `H x W` hold none of the values, nor, in a striped column, the values with its offset."""
    if not values:
        return np.ones(band.shape, dtype=bool)
    valid: Mask = ~np.isin(band, np.asarray(values, dtype=band.dtype))
    if _quantised(band[valid]):
        return valid
    return valid & ~_repeated_in_column(band)


def _quantised(values: Floats) -> bool:
    """Tell whether values repeat because they were rounded."""
    return len(np.unique(values)) < 0.5 * values.size


def _repeated_in_column(band: Floats) -> Mask:
    """Return which pixels hold a value that more than 2 % of their column hold."""
    least = max(3, int(_OF_A_COLUMN * len(band)))
    order = np.argsort(band, axis=0, kind="stable")
    ascending = np.take_along_axis(band, order, axis=0)
    repeated = np.zeros(band.shape, dtype=bool)
    same = ascending[least - 1 :] == ascending[: len(band) - least + 1]
    for shift in range(least):
        repeated[shift : shift + len(same)] |= same
    found = np.empty_like(repeated)
    np.put_along_axis(found, order, repeated, axis=0)
    return found
