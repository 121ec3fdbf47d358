"""How a sensor with large pixels blurs and samples: named point spread functions as separable operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from datamodules.degradations.operators import Separable, SparseRows
from datamodules.degradations.resize import resize_matrix
from hyperalign.errors import InputError

PointSpreadName = Literal["srlf", "block_centred", "block_mean", "bicubic", "gaussian"]

FWHM_TO_SIGMA = 2.0 * (2.0 * torch.log(torch.tensor(2.0, dtype=torch.float64)).item()) ** 0.5


@dataclass(frozen=True)
class PointSpread:
    """A separable blur of `taps` pixels and the place in each block where it is centred.

    Attributes:
        weights: of the taps along one axis, summing to 1.
        first: pixel of the first tap, relative to the block's first pixel.
    """

    weights: tuple[float, ...]
    first: int

    @property
    def centre(self) -> float:
        """Centre of mass of the taps, in pixels from the block's first one."""
        return self.first + sum(number * weight for number, weight in enumerate(self.weights))

    def reduction(self, height: int, width: int, ratio: int) -> Separable:
        """Return blur and decimation of `H x W` images."""
        return Separable(SparseRows(self.matrix(height, ratio)), SparseRows(self.matrix(width, ratio)))

    def matrix(self, size: int, ratio: int) -> Tensor:
        """Return the weights `size / ratio x size` of one axis; beyond the border the image is mirrored."""
        blocks = torch.arange(size // ratio)
        taps = blocks[:, None] * ratio + self.first + torch.arange(len(self.weights))
        # Half-sample symmetric: index -1 is 0, index n is n - 1.
        mirrored = taps % (2 * size)
        mirrored = torch.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
        weights = torch.tensor(self.weights, dtype=torch.float64).expand(len(blocks), -1)
        return torch.zeros(len(blocks), size, dtype=torch.float64).scatter_add_(1, mirrored, weights)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the taps and place."""
        return {"psf_weights": list(self.weights), "psf_first": self.first}


def point_spread(
    name: PointSpreadName, ratio: int, kernel_size: int | None, sigma: float | None, offset: float | None
) -> PointSpread:
    """Return the named point spread function.

    Raises:
        ValueError: kernel settings are missing for `gaussian`, given for another name, or out of range.
    """
    given = (kernel_size, sigma, offset)
    if name != "gaussian":
        if any(value is not None for value in given):
            raise InputError(f"The psf {name} fixes kernel_size, sigma and offset; leave them out or choose gaussian.")
        if name == "bicubic":
            return _bicubic(ratio)
        if name == "block_mean":
            return PointSpread((1.0 / ratio,) * ratio, 0)
        if name == "srlf":
            return _gaussian(7, 3.0, 0.0)
        # A window of two blocks; odd ratios have a middle pixel and lose one tap.
        return _gaussian(2 * ratio - ratio % 2, ratio / FWHM_TO_SIGMA, (ratio - 1) / 2)
    if kernel_size is None or sigma is None or offset is None:
        raise InputError("The psf gaussian needs kernel_size, sigma and offset; give all three.")
    if kernel_size < 1 or sigma <= 0 or not 0 <= offset <= ratio - 1:
        raise InputError(
            f"The psf gaussian got kernel_size={kernel_size}, sigma={sigma}, offset={offset}; give at least one pixel, "
            f"a sigma above 0 and an offset from 0 to {ratio - 1}."
        )
    return _gaussian(kernel_size, sigma, offset)


def _gaussian(size: int, sigma: float, centre: float) -> PointSpread:
    """Sample a Gaussian on the `size` pixels around a place that may lie between two pixels."""
    first = round(centre - (size - 1) / 2 + 1e-9)
    distances = first + torch.arange(size, dtype=torch.float64) - centre
    weights = torch.exp(-0.5 * (distances / sigma) ** 2)
    return PointSpread(tuple((weights / weights.sum()).tolist()), first)


def _bicubic(ratio: int) -> PointSpread:
    """Return the taps of MATLAB's antialiased bicubic reduction by a whole factor, some of which are negative."""
    blocks = 9  # so many that the middle one meets no border
    row = resize_matrix(blocks * ratio, blocks)[blocks // 2]
    taps = row.nonzero().flatten()
    first, last = int(taps[0]), int(taps[-1])
    return PointSpread(tuple(row[first : last + 1].tolist()), first - blocks // 2 * ratio)
