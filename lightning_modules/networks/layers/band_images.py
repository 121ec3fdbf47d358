"""Convolutions over space and over bands on band images: features of a cube with one image per band.

Band images are `B*D x F x H x W` (bands of a cube follow each other) and lie in memory with the features innermost.
In that order both a convolution over space and one over bands are plain 2-D convolutions on views of the same memory,
which takes half the time of their 3-D forms on `B x F x D x H x W`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["band_neighbours", "collapse_bands", "convolve_bands", "convolve_space", "sum_of_taps"]


def band_neighbours(cube: Tensor) -> Tensor:
    """Turn a cube `B x D x H x W` into images `B*D x 3 x H x W` of each band between its neighbours.

    Bands beyond the first and last are zero.
    """
    neighbours = functional.pad(cube, (0, 0, 0, 0, 1, 1)).unfold(1, 3, 1)
    return neighbours.flatten(0, 1).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def convolve_space(images: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Convolve each of the images `N x F x H x W` with a 3 x 3 kernel `O x F x 3 x 3`, zero-padded."""
    return functional.conv2d(images, kernel, bias, padding=1)


def _as_lines(images: Tensor, bands: int) -> Tensor:
    """View band images `B*D x F x H x W` as `B x F x D x H*W`."""
    last = images.permute(0, 2, 3, 1)
    return last.reshape(-1, bands, last.shape[1] * last.shape[2], last.shape[3]).permute(0, 3, 1, 2)


def convolve_bands(images: Tensor, kernel: Tensor, bias: Tensor, bands: int) -> Tensor:
    """Convolve band images `B*D x F x H x W` over the D `bands` with a kernel `O x F x 3`, zero-padded."""
    mixed = functional.conv2d(_as_lines(images, bands), kernel[..., None], bias, padding=(1, 0))
    last = mixed.permute(0, 2, 3, 1).reshape(images.shape[0], *images.shape[-2:], -1)
    return last.permute(0, 3, 1, 2)


def collapse_bands(images: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """Mix all D bands of band images `B*D x F x H x W` into one image `B x O x H x W` by a kernel `O x F x D`."""
    mixed = functional.conv2d(_as_lines(images, kernel.shape[-1]), kernel[..., None], bias)
    last = mixed.permute(0, 2, 3, 1).reshape(-1, *images.shape[-2:], mixed.shape[1])
    return last.permute(0, 3, 1, 2)


def sum_of_taps(taps: Tensor, axis: int) -> Tensor:
    """Finish a zero-padded convolution of size 3 along an axis whose three products were computed beforehand.

    A network whose last convolution has one output computes the products per tap in the layer before it, which then
    needs no more outputs than there are taps; only this sum runs on the large image.

    Args:
        taps: `3 x ...`, the products of each position with the first, middle and last weight.
        axis: axis of one product along which the kernel extends, counted from the end (negative).

    Returns:
        `out[i] = taps[0][i - 1] + taps[1][i] + taps[2][i + 1]` along the axis, without positions beyond its ends.
    """
    first, middle, last = taps.unbind(0)
    inner = middle.shape[axis] - 1
    total = middle.clone()
    total.narrow(axis, 1, inner).add_(first.narrow(axis, 0, inner))
    total.narrow(axis, 0, inner).add_(last.narrow(axis, 1, inner))
    return total
