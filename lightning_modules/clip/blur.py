"""Gaussian blur of a batch, every image by its own level: the I_blur of HIR-ALIGN's Eq. 7."""

from __future__ import annotations

import torch
from torch import Tensor

from hyperalign.seeding import generator_of_step

__all__ = ["blur_levels", "gaussian_blur"]

TRUNCATE = 4.0
"""Standard deviations after which the kernel ends; as scipy's `gaussian_filter` does by default."""


def blur_levels(
    *,
    images: int,
    sigma: tuple[float, float],
    clean_share: float,
    seed: int,
    epoch: int,
    batch: int,
    rank: int = 0,
    ranks: int = 1,
) -> Tensor:
    """Draw the blur levels of one training batch.

    Image i of rank r stands at place `i * ranks + r` of the batch of all ranks together, and its level depends on the
    seed, the epoch, the batch's number and this place alone: neither ranks, workers nor a resumed run change it.

    Args:
        images: number of images that this rank holds.
        sigma: smallest and largest standard deviation in pixels, drawn uniformly.
        clean_share: probability that an image stays as it is, in [0, 1].
        seed: seed of the run.
        epoch: the epoch.
        batch: number of the batch within the epoch.
        rank: this rank.
        ranks: number of ranks.

    Returns:
        One standard deviation in pixels an image, float32, on the CPU; 0 for images that stay sharp.
    """
    generator = generator_of_step("blur", seed, epoch, batch)
    choice, place = torch.rand(images * ranks, 2, generator=generator)[rank::ranks].unbind(1)
    low, high = sigma
    return torch.where(choice < clean_share, 0.0, low + (high - low) * place)


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each image by its own level.

    Each axis is one product with a banded matrix. These are plain matrix products in float32, where convolutions may
    round to 19 bits on GPUs; a run of any length costs the same, whatever the level. Past the border the outermost
    pixels are repeated. Equal to `scipy.ndimage.gaussian_filter(image, (0, s, s), mode="nearest")` within 1e-5 for
    images in [0, 1].

    Args:
        images: `B x C x H x W`, any range.
        sigma: B standard deviations in pixels, at least 0; 0 leaves an image as it is.

    Returns:
        `B x C x H x W`, float32, on the images' device.
    """
    height, width = images.shape[-2:]
    with torch.autocast(images.device.type, enabled=False):
        rows = _blur_matrices(sigma, height, images.device)[:, None]
        columns = rows if width == height else _blur_matrices(sigma, width, images.device)[:, None]
        return rows @ images.float() @ columns.mT


def _blur_matrices(sigma: Tensor, size: int, device: torch.device) -> Tensor:
    """Matrices `B x size x size` that blur one axis; row i holds the weights with which pixel i is made."""
    weights = [_half_kernel(float(one), size) for one in sigma]
    # What a kernel would take from beyond the border, the outermost pixel gives.
    tails = [kernel.flip(0).cumsum(0).flip(0)[:size] for kernel in weights]
    inner = torch.stack([kernel[:size] for kernel in weights]).float().to(device)
    outer = torch.stack(tails).float().to(device)
    place = torch.arange(size, device=device)
    matrices = inner[:, (place[:, None] - place).abs()]
    if size == 1:
        return torch.ones_like(matrices)
    matrices[:, :, 0] = outer
    matrices[:, :, -1] = outer.flip(1)
    return matrices


def _half_kernel(sigma: float, size: int) -> Tensor:
    """Weights at distance 0, 1, ..., with zeros up to at least `size`; both sides together sum to 1."""
    radius = int(TRUNCATE * sigma + 0.5)
    weights = torch.zeros(max(radius + 1, size), dtype=torch.float64)
    if radius == 0:
        weights[0] = 1.0
        return weights
    distance = torch.arange(radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (distance / sigma) ** 2)
    weights[: radius + 1] = kernel / (2 * kernel.sum() - kernel[0])
    return weights
