"""How large the error of a restorer is, from products of neighbours: white noise has no part in them.

With `f` a restorer, `y = x + n` and `n` white of variance v, the mean of `(f(y) - y)(p) (f(y) - y)(q)` over pairs of
different pixels p, q is that of the errors `(f(y) - x)(p) (f(y) - x)(q)` less `v (df(p)/dy(q) + df(q)/dy(p))` (Stein's
lemma), without the term v that makes the error itself so uncertain. How much larger the error of a pixel is than that
of neighbours is read off a simulation: the restored cube with the noise put on again. Ours, not of a paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LAGS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
"""Rows and columns from a pixel to its neighbours."""

_OWN = 0.5
"""Spread of the factor of a band beside that of all bands, as a share of it."""

_SHARED = 0.8
"""Correlation of what was removed from two bands beyond which they hold the same noise, as copies of a band do."""

FEWEST = 10_000
"""Pixels of a band below which products of neighbours are too noisy: the factor is the usual one then. Tried on 12,544
and 16,384 pixels, and on 2,500, where it was wrong (docs/own_cubes.md)."""

_USUAL = 2.0
"""Factor on CAVE, where the true errors are known."""

_LEAST, _MOST = 0.25, 10.0
_FLOOR = 1e-9


@dataclass(frozen=True)
class Probed:
    """What a restorer did to an observation, and to it once more with every value moved by a small random amount.

    Attributes:
        removed: `C x H x W`, restored less observation.
        moved: `C x H x W`, the change of what it restored.
        signs: `C x H x W`, -1 or 1 over the size of what was added, 0 where nothing was.
    """

    removed: Tensor
    moved: Tensor
    signs: Tensor


@dataclass(frozen=True)
class Simulated:
    """What the restorer did to a simulation whose truth is known.

    Attributes:
        error: `C x H x W`, restored less truth.
        sound: `C x H x W`, 1 where a pixel has Gaussian noise alone, 0 elsewhere.
    """

    error: Tensor
    sound: Tensor


def error_level(probed: Probed, simulated: Simulated, sound: Tensor, variance: Tensor) -> Tensor:
    """Return the mean squared error of every band, `C`.

    It is that of the simulation times a factor: by how much products of neighbours are larger in truth. The factor of
    a band is drawn to that of all bands by as much as its own is uncertain. Small scenes take the usual factor.

    Args:
        probed: what the restorer did to the observation.
        simulated: what it did to the simulation.
        sound: `C x H x W`, 1 where the observation has Gaussian noise alone, 0 elsewhere.
        variance: `C x H x W`, of that noise.
    """
    size = simulated.error.square().mean(dim=(1, 2))
    if probed.removed[0].numel() < FEWEST:
        return (_USUAL * size).clamp(min=_FLOOR)
    removed, moved, signs = probed.removed * sound, probed.moved * sound, probed.signs * variance * sound
    error = simulated.error * simulated.sound
    shared, own = torch.zeros(len(removed)), torch.zeros(len(removed))
    for lag in LAGS:
        pairs = _count(sound, lag)
        true = _products(removed, removed, lag) + _products(moved, signs, lag) + _products(signs, moved, lag)
        alike = _products(error, error, lag) / _count(simulated.sound, lag)
        shared += true / pairs * alike
        own += alike.square()
    shared, own = (torch.where(_noise_of_its_own(removed), one, 0.0) for one in (shared, own))
    level = variance.mean(dim=(1, 2))
    certain = sound.sum(dim=(1, 2)) / (2.0 * level.square())
    weights = 1.0 / level.square()
    common = ((shared * weights).sum() / (own * weights).sum().clamp(min=_FLOOR)).clamp(_LEAST, _MOST)
    prior = 1.0 / (_OWN * common).square()
    factors = (shared * certain + common * prior) / (own * certain + prior)
    return (factors.clamp(min=_LEAST) * size).clamp(min=_FLOOR)


def _noise_of_its_own(removed: Tensor) -> Tensor:
    """Tell of every band whether it shares its noise with none: of others Stein's lemma would need more derivatives."""
    flat = torch.nn.functional.normalize(removed.flatten(1), dim=1)
    alike: Tensor = (flat @ flat.T).fill_diagonal_(0.0).abs().amax(dim=1)
    return alike < _SHARED


def _products(one: Tensor, other: Tensor, lag: tuple[int, int]) -> Tensor:
    """Return the sum over pixels p of `one(p) other(p + lag)`, every band by itself."""
    rows, columns = lag
    height, width = one.shape[1:]
    first = one[:, : height - rows, max(0, -columns) : width - max(0, columns)]
    second = other[:, rows:, max(0, columns) : width - max(0, -columns)]
    return (first * second).sum(dim=(1, 2))


def _count(sound: Tensor, lag: tuple[int, int]) -> Tensor:
    """Return the number of pairs of sound pixels, at least 1."""
    return _products(sound, sound, lag).clamp(min=1.0)
