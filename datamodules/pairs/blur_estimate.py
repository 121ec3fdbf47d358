"""The blur of the hyperspectral sensor from a pair: the kernel that brings the fine image to the coarse one.

Simoes et al. (HySure), IEEE TGRS 53(6), 2015, Eq. 15: least squares with a quadratic penalty of differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datamodules.degradations.point_spread import PointSpread
from hyperalign.errors import InputError

__all__ = ["Blur", "estimate_blur"]

FULL_WIDTH = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian over its sigma."""


@dataclass(frozen=True)
class Blur:
    """How a coarse pixel weighs fine ones.

    Attributes:
        kernel: `n x n` weights that sum to 1.
        first: row and column of the first tap, in fine pixels from the first one of a block.
        ratio: fine pixels along a coarse one.
    """

    kernel: Tensor
    first: tuple[int, int]
    ratio: int

    @classmethod
    def block_mean(cls, ratio: int) -> Blur:
        """Return the mean of each block."""
        return cls(torch.full((ratio, ratio), 1 / ratio**2, dtype=torch.float64), (0, 0), ratio)

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the middle of mass, in fine pixels from the middle of the block."""
        places = torch.arange(len(self.kernel), dtype=torch.float64) - (self.ratio - 1) / 2
        lines = (self.kernel.sum(1), self.kernel.sum(0))
        rows, columns = (first + float(line @ places) for first, line in zip(self.first, lines, strict=True))
        return rows, columns

    @property
    def width(self) -> float:
        """Full width at half maximum, in fine pixels, of the Gaussian of the same spread; the mean of both axes."""
        places = torch.arange(len(self.kernel), dtype=torch.float64)
        lines = (self.kernel.sum(1), self.kernel.sum(0))
        spreads = [float(line @ (places - float(line @ places)) ** 2) for line in lines]
        return FULL_WIDTH * math.sqrt(max(0.0, sum(spreads) / 2))

    def reduce(self, images: Tensor) -> Tensor:
        """Blur and sample `c x H x W`, mirrored at the border."""
        moved = images[:, None]
        for axis in (2, 3):
            size = images.shape[axis - 1]
            first = self.first[axis - 2]
            last = (size // self.ratio - 1) * self.ratio + first + len(self.kernel)
            index = torch.arange(first, last).remainder(2 * size)
            moved = moved.index_select(axis, torch.where(index < size, index, 2 * size - 1 - index))
        return functional.conv2d(moved, self.kernel.to(images)[None, None], stride=self.ratio)[:, 0]

    def separable(self) -> PointSpread:
        """Return the blur of equal, symmetric, non-negative taps along both axes, in the middle of the block."""
        size = len(self.kernel)
        places = torch.arange(size, dtype=torch.float64)
        line = torch.zeros(size, dtype=torch.float64)
        for taps in (self.kernel.sum(1).clamp_min(0), self.kernel.sum(0).clamp_min(0)):
            off = float(taps @ places / taps.sum()) - (size - 1) / 2
            line += torch.from_numpy(np.interp(places + off, places, taps, left=0.0, right=0.0))
        line = (line + line.flip(0)) / (2 * line.sum())
        return PointSpread(tuple(line.tolist()), round((self.ratio - size) / 2))


def estimate_blur(
    low: Tensor, high: Tensor, ratio: int, reach: int, around: tuple[int, int] = (0, 0), smoothness: float | None = None
) -> Blur:
    """Find the kernel, one for all channels, that brings the fine image nearest to mixtures of the coarse bands.

    Response and blur are jointly a linear problem: what a kernel makes of a channel should be a mixture of the bands
    and an offset. The mixture is eliminated by projection, so that the response need not be known.

    Args:
        low: `C x h x w`.
        high: `c x H x W`.
        ratio: fine pixels along a coarse one.
        reach: fine pixels by which the kernel may reach out of its block on every side.
        around: rows and columns, in whole fine pixels, by which the blocks are taken further on.
        smoothness: weight of the squared differences between neighbouring taps, relative to the images' contrast;
            None takes what explains the one half of the rows best after it was found on the other.

    Raises:
        InputError: if the images are too small for the reach.
    """
    side = ratio + 2 * reach
    rows, columns = (_usable(size, ratio, reach, off) for size, off in zip(low.shape[1:], around, strict=True))
    count = max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start)
    if min(rows.stop - rows.start, columns.stop - columns.start) < 2 or count * len(high) < side**2:
        raise InputError(
            f"A blur that reaches {reach} pixels out of blocks of {ratio} cannot be estimated from {low.shape[-2]} x "
            f"{low.shape[-1]} hyperspectral pixels: give a larger image, or name the psf."
        )
    first = (around[0] - reach, around[1] - reach)
    penalty = _squared_differences(side)
    if smoothness is None:
        middle = (rows.start + rows.stop) // 2
        halves = [
            _unexplained(low, high, (part, columns), first, side, ratio)
            for part in (slice(rows.start, middle), slice(middle, rows.stop))
        ]
        smoothness = min(_SMOOTHNESS, key=lambda weight: _held_out(halves, weight, penalty))
    gram = _unexplained(low, high, (rows, columns), first, side, ratio)
    return Blur(_solved(gram, smoothness, penalty).view(side, side), first, ratio)


_SMOOTHNESS = (1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def _usable(size: int, ratio: int, reach: int, off: int) -> slice:
    """Coarse pixels whose kernel stays inside of the image."""
    before = max(0, -(-(reach - off) // ratio))
    after = max(0, -(-(reach + off) // ratio))
    return slice(before, size - after)


def _unexplained(
    low: Tensor, high: Tensor, window: tuple[slice, slice], first: tuple[int, int], side: int, ratio: int
) -> Tensor:
    """Return the quadratic form, in the taps, of what mixtures of the bands and an offset leave of all channels."""
    rows, columns = window
    bands = low[:, rows, columns].double().flatten(1).T
    centred = bands - bands.mean(dim=0)
    values, axes = torch.linalg.eigh(centred.T @ centred)
    kept = values > 1e-12 * values.max()
    basis = centred @ (axes[:, kept] / values[kept].sqrt())
    top, left = rows.start * ratio + first[0], columns.start * ratio + first[1]
    height, width = ((part.stop - part.start - 1) * ratio + side for part in window)
    form = torch.zeros(side**2, side**2, dtype=torch.float64)
    for channel in high[:, top : top + height, left : left + width].double():
        # Of some size everywhere: each channel counts by its own contrast.
        image = (channel - channel.mean()) / channel.std().clamp_min(1e-12)
        patches = functional.unfold(image[None, None], side, stride=ratio)[0].T
        patches = patches - patches.mean(dim=0)
        inside = basis.T @ patches
        form += patches.T @ patches - inside.T @ inside
    return form / len(basis)


def _solved(form: Tensor, smoothness: float, penalty: Tensor) -> Tensor:
    """The taps of sum 1 that make the quadratic form and the penalty smallest."""
    weighted = form + smoothness * penalty + 1e-14 * torch.eye(len(form), dtype=form.dtype)
    taps = torch.linalg.solve(weighted, torch.ones(len(form), dtype=form.dtype))
    scaled: Tensor = taps / taps.sum()
    return scaled


def _held_out(halves: list[Tensor], smoothness: float, penalty: Tensor) -> float:
    """What taps of either half leave of the other one."""
    found = [_solved(form, smoothness, penalty) for form in halves]
    return float(found[0] @ halves[1] @ found[0] + found[1] @ halves[0] @ found[1])


def _squared_differences(side: int) -> Tensor:
    """Matrix of the squared differences between neighbours of a kernel, and of its rim to zero."""
    step = torch.eye(side + 1, side, dtype=torch.float64) - torch.eye(side + 1, side, dtype=torch.float64).roll(1, 0)
    line, identity = step.T @ step, torch.eye(side, dtype=torch.float64)
    return torch.kron(line, identity) + torch.kron(identity, line)
