"""Gaussian noise, band by band: its standard deviation, and the part of it that grows with the signal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.estimation.differences import (
    Floats,
    Mask,
    block_mean,
    block_valid,
    diagonal,
    every_diagonal,
    robust_sigma,
    second_differences,
    spread,
)

_GUIDE_VALID = 0.95
_FLAT = 0.5
_ENOUGH = 200
_FIRM = 700
_BINS = 12
_OUTLIER = 3.0
_SURE = 6.0
_RELEVANT = 0.25


@dataclass(frozen=True)
class GaussianLevel:
    """The variance `constant + slope x signal` of one band's noise, both on the [0, 1] scale.

    Attributes:
        constant: variance where the signal is 0.
        slope: what a signal of 1 adds; 0 where the data do not ask for it.
        typical: standard deviation over the whole scene.
    """

    constant: float
    slope: float
    typical: float


def gaussian_levels(cube: Floats, valid: Mask, missing: Mask) -> list[GaussianLevel]:
    """Measure the Gaussian noise of every band.

    The diagonal Haar coefficients of a band hold its noise and a little of its texture. Texture is shared by the bands
    and noise is not, so a band is measured where the weighted mean of all *other* bands is flat, and what that mean
    still explains there is taken off first.

    Args:
        cube: `C x H x W`.
        valid: `C x H x W`, which values can be used.
        missing: `C`, bands without any.

    Returns:
        One level a band; zeros for a missing one.
    """
    first = np.array([0.0 if gone else robust_sigma(*pair) for gone, *pair in zip(missing, cube, valid, strict=True)])
    coefficients, usable = diagonal(cube), block_valid(valid)
    share = usable.reshape(len(cube), -1).mean(axis=1)
    weights = np.where(~missing & (share > _GUIDE_VALID), 1.0 / np.maximum(first, 1e-4) ** 2, 0.0)
    shared = np.tensordot(weights.astype(np.float32), cube, axes=1)
    levels = []
    for band in range(len(cube)):
        if missing[band]:
            levels.append(GaussianLevel(0.0, 0.0, 0.0))
            continue
        others = float(weights.sum() - weights[band])
        guide, flat = np.zeros_like(cube[band]), np.ones_like(usable[band])
        if others > 0:
            guide = (shared - np.float32(weights[band]) * cube[band]) / np.float32(others)
            flat = _flat(np.abs(diagonal(guide)))
        known = flat & usable[band]
        values = _unexplained(coefficients[band][known], diagonal(guide)[known])
        sigma = _sigma(values, (cube[band], guide), valid[band], flat, float(first[band]))
        levels.append(_with_signal(values, _levels_of(cube[band], valid[band])[known], sigma))
    return levels


def _unexplained(values: Floats, guides: Floats) -> Floats:
    """Return what a band's coefficients are beside the texture that it shares with the others, by least squares."""
    power = float(np.square(guides, dtype=np.float64).sum())
    if power <= 0:
        return values
    limit = np.float32(_OUTLIER * spread(values))
    slope = float((values.clip(-limit, limit).astype(np.float64) * guides).sum()) / power
    return values - np.float32(slope) * guides


def _sigma(values: Floats, images: tuple[Floats, Floats], valid: Mask, flat: Mask, first: float) -> float:
    """Return the spread of a band's coefficients; where impulses left few whole blocks, of those that overlap as well.

    Where these are few too, the spread of second differences, which are more and hold more of the texture.
    """
    if values.size < _FIRM:
        height, width = 2 * flat.shape[0], 2 * flat.shape[1]
        usable = valid[:height, :width] & flat.repeat(2, 0).repeat(2, 1)
        for differences in (every_diagonal, second_differences):
            pair = [differences(image[:height, :width], usable) for image in images]
            if pair[0].size > values.size:
                values = _unexplained(pair[0], pair[1])
            if values.size >= _FIRM:
                break
    return spread(values) if values.size >= _ENOUGH else first


def _flat(texture: Floats) -> Mask:
    """Return the flatter half of the blocks."""
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(texture, 3, mode="nearest")
    flat: Mask = smooth <= np.quantile(smooth, _FLAT)
    return flat


def _levels_of(band: Floats, valid: Mask) -> Floats:
    """Return the local mean of a band around every 2 x 2 block."""
    from scipy.ndimage import uniform_filter

    weight = uniform_filter(block_valid(valid).astype(np.float32), 5, mode="nearest")
    mean = uniform_filter(np.where(block_valid(valid), block_mean(band), 0).astype(np.float32), 5, mode="nearest")
    levels: Floats = np.divide(mean, weight, out=np.zeros_like(mean), where=weight > 1e-3)
    return levels


def _with_signal(values: Floats, levels: Floats, sigma: float) -> GaussianLevel:
    """Fit the variance against the signal, and keep the slope where it is sure and matters."""
    plain = GaussianLevel(sigma**2, 0.0, sigma)
    if values.size < _BINS * _ENOUGH:
        return plain
    edges = np.quantile(levels, np.linspace(0, 1, _BINS + 1))
    number = np.clip(np.searchsorted(edges, levels, side="right") - 1, 0, _BINS - 1)
    centres, variances, errors = [], [], []
    for index in range(_BINS):
        inside = values[number == index]
        if inside.size >= _ENOUGH:
            variance = spread(inside) ** 2
            centres.append(float(levels[number == index].mean()))
            variances.append(variance)
            # The median of sizes knows a standard deviation to 1.17 / sqrt(n), so a variance to twice that.
            errors.append(2.33 * max(variance, 1e-12) / np.sqrt(inside.size))
    if len(centres) < 4:
        return plain
    constant, slope, error = _line(np.array(centres), np.array(variances), np.array(errors))
    gained = slope * (max(centres) - min(centres))
    if slope < _SURE * error or gained < _RELEVANT * sigma**2 or gained < 2e-6:
        return plain
    return GaussianLevel(max(constant, 0.0), slope, sigma)


def _line(x: NDArray[np.float64], y: NDArray[np.float64], errors: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return intercept, slope and the slope's standard error, widened where the points do not lie on a line."""
    weights = 1.0 / errors**2
    centre = float((weights * x).sum() / weights.sum())
    span = float((weights * (x - centre) ** 2).sum())
    if span <= 0:
        return float((weights * y).sum() / weights.sum()), 0.0, np.inf
    slope = float((weights * (x - centre) * y).sum()) / span
    constant = float((weights * y).sum() / weights.sum()) - slope * centre
    misfit = float((weights * (y - constant - slope * x) ** 2).sum()) / max(len(x) - 2, 1)
    return constant, slope, float(np.sqrt(max(misfit, 1.0) / span))
