"""Which pixels SRLF learns again: similarity scores and the choice of the worst."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["cosine_map", "similarity_map", "worst"]

SHARE = 0.3
"""Share of the pixels that is learned again where nothing is similar."""

WINDOW, SIGMA = 5, 1.5
LUMINANCE, CONTRAST = 0.01**2, 0.03**2
EPSILON = 2.2204e-16


def similarity_map(seen: Tensor, image: Tensor) -> Tensor:
    """Return the structural similarity of two images `B x c x H x W` at every pixel, mean over channels, `B x H x W`.

    Gaussian window of 5 x 5 and sigma 1.5, zeros beyond the border, range 1.
    """
    channels = image.shape[1]
    distances = torch.arange(WINDOW, device=image.device, dtype=torch.float32) - WINDOW // 2
    weights = torch.exp(-(distances**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()
    kernel = torch.outer(weights, weights).to(seen.dtype).expand(5 * channels, 1, -1, -1)
    moments = torch.cat((seen, image, seen * seen, image * image, seen * image), dim=1)
    blurred = functional.conv2d(moments, kernel, padding="same", groups=5 * channels)
    mean_a, mean_b, square_a, square_b, product = blurred.chunk(5, dim=1)
    both, squares = mean_a * mean_b, mean_a.square() + mean_b.square()
    structure = 2.0 * (product - both) + CONTRAST
    spread = square_a + square_b - squares + CONTRAST
    similarity = (2 * both + LUMINANCE) * structure / ((squares + LUMINANCE) * spread)
    return similarity.mean(1)


def cosine_map(seen: Tensor, image: Tensor) -> Tensor:
    """Return the cosine of the spectral angle between two cubes `B x C x h x w` at every pixel, `B x h x w`."""
    products = (seen * image).sum(1)
    lengths = seen.square().sum(1).sqrt() * image.square().sum(1).sqrt()
    return ((products + EPSILON) / (lengths + EPSILON)).clamp(-1, 1)


def worst(scores: Tensor, similarity: Tensor, per_image: bool) -> list[Tensor]:
    """Choose the pixels of the lowest scores.

    Args:
        scores: `B x h x w`, at the resolution at which pixels are chosen.
        similarity: mean structural similarity of each image, `B`; the less, the more pixels.
        per_image: give every image the number of its own similarity instead of the batch's mean, as published.

    Returns:
        Pixel numbers: one tensor `B x n`, or B tensors `1 x n`.
    """
    flat = scores.flatten(1)
    wanted = flat.shape[1] * (SHARE * (1 - similarity))
    if not per_image:
        return [flat.topk(int(wanted.mean()), dim=1, largest=False, sorted=False).indices]
    counts = [int(count) for count in wanted.tolist()]
    return [
        one[None].topk(count, dim=1, largest=False, sorted=False).indices
        for one, count in zip(flat, counts, strict=True)
    ]
