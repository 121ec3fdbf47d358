"""The errors of two restorers of one observation compared without a clean cube: SURE, and damage over held-out pixels.

Where a pixel holds the scene and Gaussian noise of variance v, Stein's unbiased risk estimate of a restorer f at y is
`(f(y) - y)^2 - v + 2 v df/dy`, its derivative measured with random signs (Ramani, Blu and Unser 2008). In the
*difference* of two restorers the uncertain `- v` cancels, and of the noise only `2 v (df1/dy - df2/dy)` is left. Pixels
that are impulses or on dead lines hold nothing to compare with: others are damaged likewise, and what they held is the
judge, whose noise the restorer has not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from callbacks.reporting.without_truth.error_level import Probed, Simulated, error_level
from callbacks.reporting.without_truth.recorruption import Recorrupted, recorrupted
from callbacks.reporting.without_truth.residuals import Residuals, residuals
from datamodules.degradations.estimated_noise import replayed
from datamodules.estimation import SceneNoise, damage_of, noise_of

Restore = Callable[[Tensor], Tensor]
"""Restores `C x H x W`."""

STEP = 0.1
"""Size of the random signs, in standard deviations of the noise."""

_FLOOR = 1e-4
BLOCKS = 8
"""Blocks along each axis, which intervals are drawn from."""


@dataclass(frozen=True)
class Compared:
    """What two restorers did to one observation.

    Attributes:
        noise: what was measured of it.
        sums: `4 x C x blocks`, squared error of the first less that of the second restorer, summed over each block's
            pixels of each kind.
        counts: `4 x C x blocks`, their number.
        shares: `4 x C`, see `Recorrupted`.
        level: `C`, the squared error, the mean of both restorers (see `error_level`).
        correction: `C`, the mean of Stein's term in the difference, which is wrong by as much as the noise's variance.
        residuals: statistics of what each of them removed.
    """

    noise: SceneNoise
    sums: Tensor
    counts: Tensor
    shares: Tensor
    level: Tensor
    correction: Tensor
    residuals: tuple[Residuals, Residuals]


def compare(first: Restore, second: Restore, observation: Tensor, name: str, seed: int = 0) -> Compared:
    """Compare two restorers on a noisy observation.

    Args:
        first: a restorer, such as the source network.
        second: another one, such as the adapted network.
        observation: `C x H x W`, float32, on the scale of the network.
        name: what the scene is called.
        seed: decides all random numbers.
    """
    damage = damage_of(observation.numpy())
    noise = noise_of(observation.numpy(), damage, name)
    turned = noise.direction == "rows"
    dead = torch.from_numpy(damage.dead_rows if turned else damage.dead)
    masks = [torch.from_numpy(one.copy()) for one in (damage.undamaged, damage.striped)]
    if turned:
        observation = observation.transpose(1, 2).contiguous()
        masks = [one.transpose(1, 2) for one in masks]
        first, second = _upright(first), _upright(second)
    generator = torch.Generator().manual_seed(seed)
    worse = recorrupted(observation, noise.bands, masks[0], masks[1], dead, generator)
    tried = _tried(first, second, worse, noise, generator)
    variance = _variance(noise, tried[1].restored)
    difference, stein = _difference(tried, observation, worse, variance)
    rows, columns = _numbers(observation.shape[1]), _numbers(observation.shape[2])
    block = (rows[:, None] * BLOCKS + columns).flatten()
    # One kind after another: all at once, in float64, would be the most that is held in a test.
    sums = torch.stack([_summed(difference * kind, block) for kind in worse.kinds])
    counts = torch.stack([_summed(kind, block) for kind in worse.kinds])
    level = _level((first, second), tried, worse, noise, variance, seed)
    stated = tuple(residuals(observation, one.restored, masks[0], noise) for one in tried)
    return Compared(noise, sums, counts, worse.shares, level, stein.mean(dim=(1, 2)), (stated[0], stated[1]))


@dataclass(frozen=True)
class _Tried:
    """What a restorer made of the damaged observation, what a small random change of it changed, and that change."""

    restored: Tensor
    moved: Tensor
    signs: Tensor

    @property
    def slope(self) -> Tensor:
        """The derivative of every pixel by itself, with noise."""
        return self.signs * self.moved


def _tried(
    first: Restore, second: Restore, worse: Recorrupted, noise: SceneNoise, generator: torch.Generator
) -> tuple[_Tried, _Tried]:
    restored = (first(worse.cube), second(worse.cube))
    step = STEP * _variance(noise, restored[1]).sqrt()
    signs = (torch.randint(0, 2, step.shape, generator=generator) * 2.0 - 1.0) * (worse.kinds[0] | worse.kinds[3])
    moved = worse.cube + step * signs
    found = [_Tried(one, f(moved) - one, signs / step) for f, one in zip((first, second), restored, strict=True)]
    return found[0], found[1]


def _difference(
    tried: tuple[_Tried, _Tried], observation: Tensor, worse: Recorrupted, variance: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the difference of the squared errors of every pixel, unbiased, and Stein's term in it."""
    noisy = worse.kinds[0] | worse.kinds[3]
    stein = 2.0 * variance * (tried[0].slope - tried[1].slope) * noisy
    errors = [(one.restored - observation).square() for one in tried]
    return errors[0] - errors[1] + stein, stein


def _level(
    restorers: tuple[Restore, Restore],
    tried: tuple[_Tried, _Tried],
    worse: Recorrupted,
    noise: SceneNoise,
    variance: Tensor,
    seed: int,
) -> Tensor:
    """Return the squared error of every band, the mean of both restorers."""
    truth = (tried[0].restored + tried[1].restored) / 2.0
    size = (len(truth), int(truth.shape[1]), int(truth.shape[2]))
    replay = replayed(noise.bands, "columns", size, np.random.default_rng(seed))
    again = replay.apply(truth)
    # Its first part is the Gaussian noise; what the others left alone is as sound as the observation's own pixels.
    unhurt = (again == replay.parts[0].apply(truth)).float()
    sound = worse.kinds[0].float()
    levels = [
        error_level(
            Probed(one.restored - worse.cube, one.moved, one.signs),
            Simulated(restore(again) - truth, unhurt),
            sound,
            variance,
        )
        for restore, one in zip(restorers, tried, strict=True)
    ]
    return (levels[0] + levels[1]) / 2.0


def _variance(noise: SceneNoise, signal: Tensor) -> Tensor:
    """Return the variance of the noise of every pixel."""
    constant = torch.tensor([band.variance for band in noise.bands])[:, None, None]
    slope = torch.tensor([band.slope for band in noise.bands])[:, None, None]
    return (constant + slope * signal.clamp(0.0, 1.0)).clamp(min=_FLOOR**2)


def _numbers(length: int) -> Tensor:
    """Return the number of the block of every row or column."""
    return torch.arange(length) * BLOCKS // length


def _summed(values: Tensor, block: Tensor) -> Tensor:
    """Sum `C x H x W` over blocks."""
    sums = torch.zeros(len(values), BLOCKS**2, dtype=torch.float64)
    return sums.index_add_(1, block, values.flatten(1).double())


def _upright(restore: Restore) -> Restore:
    def turned(cube: Tensor) -> Tensor:
        return restore(cube.transpose(1, 2).contiguous()).transpose(1, 2)

    return turned
