"""Resampling between two grids that lie anywhere on each other: enlarging, shrinking, interpolating splines.

Coarse pixel k of a grid with ratio s and phase p is centred on fine pixel `p + k s`. A grid of whole blocks has the
phase (s - 1) / 2, which is MATLAB's `imresize`; a sensor that samples the first pixel of each block has the phase 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

__all__ = ["Phase", "block_phase", "enlarge", "enlarge_by_splines", "shrink"]

Phase = tuple[float, float]
"""Row and column of the first coarse pixel's centre, in fine pixels counted from 0."""


def block_phase(ratio: int) -> Phase:
    """Return the phase of a grid whose pixels are whole blocks of `ratio` x `ratio` fine pixels."""
    return (ratio - 1) / 2, (ratio - 1) / 2


def enlarge(images: Tensor, ratio: int, phase: Phase) -> Tensor:
    """Enlarge images by Keys' cubic convolution (a = -0.5), mirrored at the border; not clipped.

    Args:
        images: `... x h x w`.
        ratio: whole factor of at least 1.
        phase: where the fine grid lies, see this module.

    Returns:
        `... x ratio*h x ratio*w`.
    """
    rows = _taps(images.shape[-2], images.shape[-2] * ratio, 1 / ratio, -phase[0] / ratio, "cubic")
    columns = _taps(images.shape[-1], images.shape[-1] * ratio, 1 / ratio, -phase[1] / ratio, "cubic")
    return _both_axes(images, rows, columns)


def shrink(images: Tensor, ratio: int, phase: Phase, kernel: str) -> Tensor:
    """Shrink images as `imresize` does, with a kernel as wide as the coarse pixels, mirrored at the border.

    Args:
        images: `... x H x W`, sides divisible by `ratio`.
        ratio: whole factor of at least 1.
        phase: where the fine grid lies, see this module.
        kernel: `cubic` (Keys, a = -0.5) or `linear`.

    Returns:
        `... x H/ratio x W/ratio`.
    """
    rows = _taps(images.shape[-2], images.shape[-2] // ratio, float(ratio), phase[0], kernel)
    columns = _taps(images.shape[-1], images.shape[-1] // ratio, float(ratio), phase[1], kernel)
    return _both_axes(images, rows, columns)


def enlarge_by_splines(images: Tensor, ratio: int, phase: Phase) -> Tensor:
    """Enlarge images by interpolating cubic splines (not-a-knot) through the pixels and a mirrored rim of one pixel.

    Args:
        images: `... x h x w`, sides of at least 2.
        ratio: whole factor of at least 1.
        phase: where the fine grid lies, see this module.

    Returns:
        `... x ratio*h x ratio*w`.
    """
    rows = _spline(images.shape[-2], ratio, phase[0])
    columns = _spline(images.shape[-1], ratio, phase[1])
    return _both_axes(images, rows, columns)


def _both_axes(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Apply one matrix along the rows and one along the columns."""
    return rows.to(images) @ images @ columns.to(images).T


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic kernel of parameter -0.5 (1981, Eq. 15)."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def _linear(distance: Tensor) -> Tensor:
    """Triangle of half width 1."""
    return (1.0 - distance.abs()).clamp_min(0.0)


_KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {"cubic": (_cubic, 2), "linear": (_linear, 1)}
"""Kernels with their half widths."""


@lru_cache(maxsize=32)
def _taps(size: int, new_size: int, step: float, start: float, kernel: str) -> Tensor:
    """Weights `new_size x size` of one axis: sample i reads around the place `start + i step`, rows sum to 1."""
    function, half_width = _KERNELS[kernel]
    stretch = max(step, 1.0)
    places = start + step * torch.arange(new_size, dtype=torch.float64)
    reach = int(half_width * stretch) + 1
    taps = places.floor().long()[:, None] + torch.arange(-reach, reach + 2)
    weights = function((places[:, None] - taps) / stretch)
    # The edge pixel is repeated: index -1 is 0.
    mirrored = taps.remainder(2 * size)
    mirrored = torch.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    matrix = torch.zeros(new_size, size, dtype=torch.float64).scatter_add_(1, mirrored, weights)
    return matrix / matrix.sum(dim=1, keepdim=True)


@lru_cache(maxsize=32)
def _spline(size: int, ratio: int, phase: float) -> Tensor:
    """Weights `ratio*size x size` of one axis."""
    identity = torch.eye(size, dtype=torch.float64)
    padded = torch.cat([identity[:1], identity, identity[-1:]]).numpy()
    places = (torch.arange(ratio * size, dtype=torch.float64) - phase) / ratio
    knots = torch.arange(-1, size + 1, dtype=torch.float64)
    return torch.from_numpy(CubicSpline(knots.numpy(), padded)(places.numpy()))
