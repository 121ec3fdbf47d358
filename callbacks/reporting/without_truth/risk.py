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

import torch
from torch import Tensor

from callbacks.reporting.without_truth.recorruption import Recorrupted, recorrupted
from callbacks.reporting.without_truth.residuals import Residuals, residuals
from datamodules.estimation import SceneNoise, damage_of, noise_of

Restore = Callable[[Tensor], Tensor]
"""Restores `C x H x W`."""

STEP = 0.1
"""Size of the random signs, in standard deviations of the noise."""

SHRINKAGE = 2.0
"""How much larger the error of a restorer is than it is on its own restored cube with the noise put on again, which
lacks what the restorer lost. Calibrated on eight CAVE scenes (docs/own_cubes.md); its spread there, `SPREAD` of
`intervals`, widens every interval in dB."""

SHRINKAGE_OF_DAMAGE = 3.5
"""The same for scenes whose noise is recognised as complex: impulses, stripes or dead lines."""

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
        level: `C`, the squared error of the second restorer, roughly.
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
    difference, stein, restored = _difference(first, second, observation, worse, noise, generator)
    rows, columns = _numbers(observation.shape[1]), _numbers(observation.shape[2])
    block = (rows[:, None] * BLOCKS + columns).flatten()
    sums, counts = _summed(difference * worse.kinds, block), _summed(worse.kinds.float(), block)
    level = _level(second, restored[1], observation, masks[0], noise, generator)
    stated = tuple(residuals(observation, one, masks[0], noise) for one in restored)
    return Compared(noise, sums, counts, worse.shares, level, stein.mean(dim=(1, 2)), (stated[0], stated[1]))


def _difference(
    first: Restore,
    second: Restore,
    observation: Tensor,
    worse: Recorrupted,
    noise: SceneNoise,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Return the difference of the squared errors of every pixel, unbiased, Stein's term in it, and what both made."""
    restored = (first(worse.cube), second(worse.cube))
    variance = _variance(noise, restored[1])
    signs = torch.randint(0, 2, observation.shape, generator=generator) * 2.0 - 1.0
    step = STEP * variance.sqrt()
    noisy = worse.kinds[0] | worse.kinds[3]
    moved = worse.cube + step * signs * noisy
    slopes = [signs * (restore(moved) - one) / step for restore, one in zip((first, second), restored, strict=True)]
    errors = [(one - observation).square() for one in restored]
    stein = 2.0 * variance * (slopes[0] - slopes[1]) * noisy
    return errors[0] - errors[1] + stein, stein, restored


def _level(
    restore: Restore,
    restored: Tensor,
    observation: Tensor,
    undamaged: Tensor,
    noise: SceneNoise,
    generator: torch.Generator,
) -> Tensor:
    """Return the squared error of every band on the restored cube with the noise put on again, enlarged."""
    field = torch.randn(observation.shape, generator=generator)
    again = restored + _variance(noise, restored).sqrt() * field
    error = (restore(torch.where(undamaged, again, observation)) - restored).square().mean(dim=(1, 2))
    damaged = noise.family == "complex"
    return ((SHRINKAGE_OF_DAMAGE if damaged else SHRINKAGE) * error).clamp(min=1e-9)


def _variance(noise: SceneNoise, signal: Tensor) -> Tensor:
    """Return the variance of the noise of every pixel."""
    constant = torch.tensor([band.variance for band in noise.bands])[:, None, None]
    slope = torch.tensor([band.slope for band in noise.bands])[:, None, None]
    return (constant + slope * signal.clamp(0.0, 1.0)).clamp(min=_FLOOR**2)


def _numbers(length: int) -> Tensor:
    """Return the number of the block of every row or column."""
    return torch.arange(length) * BLOCKS // length


def _summed(values: Tensor, block: Tensor) -> Tensor:
    """Sum `4 x C x H x W` over blocks."""
    sums = torch.zeros(*values.shape[:2], BLOCKS**2, dtype=torch.float64)
    return sums.index_add_(2, block, values.flatten(2).double())


def _upright(restore: Restore) -> Restore:
    def turned(cube: Tensor) -> Tensor:
        return restore(cube.transpose(1, 2).contiguous()).transpose(1, 2)

    return turned
