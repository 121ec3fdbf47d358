"""From compared errors to a gain in dB with its interval: over the blocks of a scene, and over scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from callbacks.reporting.without_truth.error_level import FEWEST
from callbacks.reporting.without_truth.risk import Compared

REPLICATES = 1000
SPREAD = 0.25
"""Standard deviation of the logarithm of a scene's error level: 0.21 on CAVE, where the true levels are known."""

BAND_SPREAD = 0.4
"""The same from band to band of a scene: 0.28 on CAVE (docs/own_cubes.md)."""

SMALL_SPREAD = 0.45
"""Both for scenes of fewer than `FEWEST` pixels, whose level is the usual multiple of a simulated one."""

VARIANCE = 0.1
"""Relative error of the noise's measured variance: twice that of its standard deviation, 5 %."""

_MOST = 0.9
"""Largest share of the errors' sum that their difference is taken for: 12.8 dB of change in a band."""

_CONFIDENT = (0.025, 0.975)


@dataclass(frozen=True)
class Gain:
    """The change from the first restorer to the second.

    Attributes:
        change: in dB of the band-mean PSNR, above 0 where the second is better.
        low: lower end of the 95 % interval in dB.
        high: upper end of it.
        draws: `REPLICATES` values of the change, as far as it is known.
        squared: change of the mean squared error, below 0 where the second is better; it needs no error level.
        first: band-mean PSNR of the first restorer in dB, on the scale of [0, 1]; the second has `first + change`.
        doubt: half the 95 % interval of `first` in dB.
    """

    change: float
    low: float
    high: float
    draws: Tensor
    squared: float
    first: float
    doubt: float

    @property
    def second(self) -> float:
        """Band-mean PSNR of the second restorer in dB."""
        return self.first + self.change


def scene_gain(compared: Compared, seed: int = 0) -> Gain:
    """Return the gain on one scene: its blocks drawn with replacement, the error level and the noise in doubt.

    Args:
        compared: what the restorers did to it.
        seed: decides the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    blocks = compared.sums.shape[-1]
    drawn = torch.randint(0, blocks, (REPLICATES, blocks), generator=generator)
    weights = torch.zeros(REPLICATES, blocks, dtype=torch.float64)
    weights.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    whole = _differences(compared, torch.ones(1, blocks, dtype=torch.float64))
    level = compared.level.double()[:, None]
    common, own, noise = (
        torch.randn(rows, REPLICATES, generator=generator, dtype=torch.float64) for rows in (1, len(level), len(level))
    )
    small = float(compared.counts.sum(dim=(0, 2)).max()) < FEWEST
    spread, band_spread = (SMALL_SPREAD, SMALL_SPREAD) if small else (SPREAD, BAND_SPREAD)
    factors = torch.exp(spread * common + band_spread * own)
    wrong = VARIANCE * noise * compared.correction.double()[:, None]
    doubted = _differences(compared, weights) + wrong
    draws = _decibels(doubted, level * factors)
    low, high = _interval(draws)
    worst, best = _interval(_first(doubted, level * factors))
    change, first = float(_decibels(whole, level)), float(_first(whole, level))
    return Gain(change, low, high, draws, -float(whole.mean()), first, (best - worst) / 2.0)


def set_gain(gains: Sequence[Gain], seed: int = 0) -> Gain:
    """Return the mean gain over scenes: as doubtful as each of them, and beyond that as far as they differ.

    What is doubted of a scene, the size of its error above all, is taken to be wrong alike in all, as they are alike
    and restored by the same networks: it does not average out. How much scenes differ beyond it is found by the method
    of moments (DerSimonian and Laird 1986); the mean of few such scenes is as unsure as Student's t has it.

    Args:
        gains: one a scene, at least one.
        seed: decides the draws.
    """
    if len(gains) == 1:
        return gains[0]
    count, changes = len(gains), torch.tensor([one.change for one in gains], dtype=torch.float64)
    stack = torch.stack([one.draws for one in gains])
    beyond = (changes.var() - stack.var(dim=1).mean()).clamp(min=0.0)
    chance = np.random.default_rng(seed).standard_t(count - 1, REPLICATES)
    alike = stack.sort(dim=1).values.mean(dim=0)
    draws = alike + torch.from_numpy(chance) * (beyond / count).sqrt()
    low, high = _interval(draws)
    squared, first, doubt = (sum(getattr(one, of) for one in gains) / count for of in ("squared", "first", "doubt"))
    return Gain(float(changes.mean()), low, high, draws, squared, first, doubt)


def _differences(compared: Compared, weights: Tensor) -> Tensor:
    """Return the difference of squared errors of every band, `C x replicates`, kinds weighted by their shares."""
    sums, counts = (torch.einsum("kcb,rb->kcr", one, weights) for one in (compared.sums, compared.counts))
    means = torch.where(counts > 0, sums / counts.clamp(min=1.0), torch.zeros((), dtype=torch.float64))
    return (compared.shares.double()[:, :, None] * means).sum(dim=0)


def _decibels(difference: Tensor, level: Tensor) -> Tensor:
    """Return the change of the band-mean PSNR for errors that differ by `difference` and are `level` in the mean."""
    share = _share(difference, level)
    return 10.0 * torch.log10((1.0 + share) / (1.0 - share)).mean(dim=0)


def _first(difference: Tensor, level: Tensor) -> Tensor:
    """Return the band-mean PSNR of the first of two such restorers in dB."""
    return -10.0 * torch.log10(level * (1.0 + _share(difference, level))).mean(dim=0)


def _share(difference: Tensor, level: Tensor) -> Tensor:
    """Return what an error has beyond the mean of both, as a share of it."""
    return (difference / (2.0 * level)).clamp(-_MOST, _MOST)


def _interval(draws: Tensor) -> tuple[float, float]:
    low, high = torch.quantile(draws, torch.tensor(_CONFIDENT, dtype=torch.float64)).tolist()
    return low, high
