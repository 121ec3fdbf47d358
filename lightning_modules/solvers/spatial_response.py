"""How the hyperspectral sensor blurs and samples: the kernel, its place in a block, and what happens at the border."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.solvers.resampling import Phase, block_phase
from lightning_modules.solvers.result import SolverError

__all__ = ["SpatialResponse"]

FULL_WIDTH = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian over its sigma."""


@dataclass(frozen=True)
class SpatialResponse:
    """The point spread of a sensor whose pixels are `ratio` times as wide as those of the other one.

    Args:
        kernel: weights `m x n` on fine pixels, summing to 1.
        first: row and column of the first tap, in fine pixels from the first pixel of a block.
        ratio: side of a coarse pixel in fine pixels.
        border: `mirror` repeats the image behind its edge, edge pixel included; `block` weighs only the pixels of the
            block itself in all blocks that touch the border (the fusion toolbox of Yokoya et al., 2017).

    Raises:
        SolverError: for a kernel or ratio that is none.
    """

    kernel: Tensor
    first: tuple[int, int]
    ratio: int
    border: Literal["mirror", "block"] = "mirror"

    def __post_init__(self) -> None:
        """Refuse what is no kernel."""
        if self.ratio < 1:
            raise SolverError(f"The ratio of a spatial response is {self.ratio}; give a whole number of at least 1.")
        if self.kernel.ndim != 2 or not math.isclose(float(self.kernel.sum()), 1.0, abs_tol=1e-4):
            raise SolverError(
                f"The kernel of a spatial response has shape {list(self.kernel.shape)} and sums to "
                f"{float(self.kernel.sum()):.4g}; give m x n weights that sum to 1."
            )

    @classmethod
    def separable(cls, weights: Sequence[float], first: int, ratio: int) -> SpatialResponse:
        """Return a blur with the same weights along rows and columns."""
        line = torch.tensor(list(weights), dtype=torch.float64)
        return cls(torch.outer(line, line), (first, first), ratio)

    @classmethod
    def gaussian(cls, ratio: int, size: int, sigma: float, phase: Phase) -> SpatialResponse:
        """Return a Gaussian on the `size` x `size` pixels around a place that may lie between pixels.

        Args:
            ratio: side of a coarse pixel in fine pixels.
            size: taps along an axis.
            sigma: in fine pixels.
            phase: row and column of the centre in fine pixels, counted from the first pixel of a block.
        """
        firsts = [round(centre - (size - 1) / 2 + 1e-9) for centre in phase]
        lines = [
            torch.exp(-0.5 * ((first + torch.arange(size, dtype=torch.float64) - centre) / sigma) ** 2)
            for first, centre in zip(firsts, phase, strict=True)
        ]
        return cls(torch.outer(*(line / line.sum() for line in lines)), (firsts[0], firsts[1]), ratio)

    @classmethod
    def toolbox(cls, ratio: int, phase: Phase | None = None) -> SpatialResponse:
        """Return the blur of Yokoya's fusion toolbox: a Gaussian as wide at half maximum as a coarse pixel.

        Args:
            ratio: side of a coarse pixel in fine pixels.
            phase: see `gaussian`; None centres it on the blocks, with the toolbox's rule for the border.
        """
        centred = phase is None or phase == block_phase(ratio)
        window = 2 * ratio - ratio % 2
        blur = cls.gaussian(ratio, window, ratio / FULL_WIDTH, block_phase(ratio) if phase is None else phase)
        return replace(blur, border="block") if centred else blur

    @classmethod
    def block_mean(cls, ratio: int) -> SpatialResponse:
        """Return the mean of each block."""
        return cls.separable([1 / ratio] * ratio, 0, ratio)

    @property
    def phase(self) -> Phase:
        """Centre of the kernel, in fine pixels counted from the first pixel of a block."""
        weights = self.kernel.double()
        rows = float(weights.sum(1) @ torch.arange(weights.shape[0]).to(weights))
        columns = float(weights.sum(0) @ torch.arange(weights.shape[1]).to(weights))
        return self.first[0] + rows, self.first[1] + columns

    def reduce(self, images: Tensor) -> Tensor:
        """Blur and sample `... x H x W` images to `... x H/ratio x W/ratio`."""
        flat = images.reshape(-1, 1, *images.shape[-2:])
        kernel = self.kernel.to(images)
        reduced = self._convolved(flat, kernel, self.first)
        if self.border == "block":
            top, left = -self.first[0], -self.first[1]
            inner = kernel[top : top + self.ratio, left : left + self.ratio]
            blocks = self._convolved(flat, inner / inner.sum(), (0, 0))
            edges = torch.ones(reduced.shape[-2:], dtype=torch.bool, device=images.device)
            edges[1:-1, 1:-1] = False
            reduced = torch.where(edges, blocks, reduced)
        return reduced.reshape(*images.shape[:-2], *reduced.shape[-2:])

    def _convolved(self, images: Tensor, kernel: Tensor, first: tuple[int, int]) -> Tensor:
        """Weigh the pixels from `first` on of every block of `N x 1 x H x W`, mirrored at the border."""
        for axis, side in enumerate(kernel.shape):
            size = images.shape[2 + axis]
            last = (size // self.ratio - 1) * self.ratio + first[axis] + side
            index = torch.arange(first[axis], last, device=images.device).remainder(2 * size)
            images = images.index_select(2 + axis, torch.where(index < size, index, 2 * size - 1 - index))
        return functional.conv2d(images, kernel[None, None], stride=self.ratio)

    def transfer(self, height: int, width: int) -> Tensor:
        """Return the discrete Fourier transform `H x W` of the blur as a circular correlation.

        The blurred image, sampled at the first pixel of every block, is the observation away from the border.
        """
        image = torch.zeros(height, width, dtype=torch.float64)
        rows = (self.first[0] + torch.arange(self.kernel.shape[0])).remainder(height)
        columns = (self.first[1] + torch.arange(self.kernel.shape[1])).remainder(width)
        places = (rows[:, None] * width + columns).flatten()
        image.view(-1).scatter_add_(0, places, self.kernel.double().cpu().flatten())
        transform: Tensor = torch.fft.fft2(image)
        return transform.conj()
