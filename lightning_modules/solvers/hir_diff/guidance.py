"""What pulls HIR-Diff's reverse process to the observation: data term and total variation, one a task.

Every loss is divided by the number of entries, so that the strength of guidance depends on the size of the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.solvers.resampling import block_phase, shrink

__all__ = [
    "Guidance",
    "blurred_and_shrunk",
    "denoising_guidance",
    "inpainting_guidance",
    "super_resolution_guidance",
    "variation_weights",
]

Guidance = Callable[[Tensor], Tensor]
"""Loss of each cube of `B x C x H x W`, `B`."""

BLUR_SIDE = 9
BLUR_SIGMA = math.sqrt(16 / (8 * math.log(2)))


def denoising_guidance(observation: Tensor, data: float, variation: float, weights: tuple[Tensor, ...]) -> Guidance:
    """Return the mean squared error, and the weighted circular total variation along rows, columns and bands.

    Args:
        observation: `B x C x H x W`.
        data: weight of the data term.
        variation: weight of the total variation.
        weights: of the differences along rows, columns and bands, each to be broadcast, see `variation_weights`.
    """

    def loss(cube: Tensor) -> Tensor:
        total = sum(_sums((weight * _circular(cube, axis)).abs()) for weight, axis in zip(weights, _AXES, strict=True))
        return (data * _sums((observation - cube).square()) + variation * total) / cube[0].numel()

    return loss


def super_resolution_guidance(observation: Tensor, ratio: int, data: float, variation: float) -> Guidance:
    """Return the squared error of the blurred and shrunk cube, and the circular total variation.

    Both are divided by the entries of the large cube, as published, so that the data term shrinks with the ratio.

    Args:
        observation: `B x C x h x w`.
        ratio: of the sides.
        data: weight of the data term.
        variation: weight of the total variation.
    """

    def loss(cube: Tensor) -> Tensor:
        error = _sums((observation - blurred_and_shrunk(cube, ratio)).square())
        total = sum(_sums(_circular(cube, axis).abs()) for axis in _AXES)
        return (data * error + variation * total) / cube[0].numel()

    return loss


def inpainting_guidance(observation: Tensor, mask: Tensor, data: float, variation: float) -> Guidance:
    """Return the mean squared error of the observed entries, and the mean absolute differences without wrapping.

    Args:
        observation: `B x C x H x W`.
        mask: 1 where observed, 0 where not, like the observation.
        data: weight of the data term.
        variation: weight of the total variation.
    """
    seen = _sums(mask).clamp_min(1.0)

    def loss(cube: Tensor) -> Tensor:
        error = _sums((mask * (observation - cube)).square()) / seen
        total = sum(cube.diff(dim=axis).abs().flatten(1).mean(dim=1) for axis in _AXES if cube.shape[axis] > 1)
        return data * error + variation * total

    return loss


def variation_weights(observation: Tensor, band_weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weigh differences less where the observation itself has edges, in its leading three dimensions.

    The published weight of differences along bands averages circular differences over all bands, which is zero by
    definition: what it weighs by is rounding noise between 1/3 and 1. Here it is one number.

    Args:
        observation: `B x C x H x W`.
        band_weight: of the differences along bands.

    Returns:
        Weights of the differences along rows and columns, `B x 1 x H x W`, and along bands, one number.
    """
    pixels = observation.flatten(2)
    vectors = torch.linalg.eigh(pixels @ pixels.mT)[1][..., -3:]
    reduced = (vectors @ (vectors.mT @ pixels)).view_as(observation)
    weights = []
    for axis in _AXES[:2]:
        edges = _circular(reduced, axis).mean(dim=1, keepdim=True).abs()
        largest = edges.amax(dim=(-2, -1), keepdim=True)
        # An image without edges is weighed alike everywhere.
        weights.append(torch.where(largest > 0, largest / (edges + 0.5 * largest), 2.0))
    joint = torch.maximum(*(weight.amax(dim=(-2, -1), keepdim=True) for weight in weights))
    return weights[0] / joint, weights[1] / joint, torch.tensor(band_weight).to(observation)


def blurred_and_shrunk(cubes: Tensor, ratio: int) -> Tensor:
    """Blur every band by a 9 x 9 Gaussian with zeros around the image, then shrink it as `imresize` does."""
    places = torch.arange(BLUR_SIDE, dtype=torch.float64) - BLUR_SIDE // 2
    line = torch.exp(-0.5 * (places / BLUR_SIGMA) ** 2)
    kernel = torch.outer(line, line) / line.sum() ** 2
    flat = functional.conv2d(cubes.flatten(0, 1)[:, None], kernel.to(cubes)[None, None], padding=BLUR_SIDE // 2)
    return shrink(flat.view_as(cubes), ratio, block_phase(ratio), "cubic")


_AXES = (2, 3, 1)
"""Rows, columns, bands of `B x C x H x W`."""


def _circular(cubes: Tensor, axis: int) -> Tensor:
    """Following entry minus entry, the first one following the last."""
    return cubes.roll(-1, axis) - cubes


def _sums(values: Tensor) -> Tensor:
    """Sum of each scene."""
    return values.flatten(1).sum(dim=1)
