"""The objective of HIR-ALIGN Eq. 20: its weights, its terms on the synthesised RGB, and their gradients by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from callbacks.transfer.mutual_information import MutualInformation
from callbacks.transfer.stencil import clamp_fold
from callbacks.transfer.structural_similarity import StructuralSimilarity


@dataclass(frozen=True)
class LossWeights:
    """Weights of the seven terms of Eq. 20 (the paper prints none).

    Chosen on known warps of CAVE crops by the error of the *spectra* against the truth, not by RGB fit alone: a guide
    that is fitted too closely is fitted by spectra of the wrong material.

    Attributes:
        l1: lambda_1, the unit of the others.
        patch: lambda_p; in the interior the patch term equals L1, so together they give RGB fidelity weight 2.
        mutual_information: lambda_mi, small because the value is several times that of L1; against 0 it gains 0.8 dB of
            RGB fit on a tinted guide and 0.2 dB of spectra on an untinted one.
        ssim: lambda_ssim; 0.5 against 0.1 gains 0.7 dB of RGB fit and 0.2 dB of spectra on an untinted guide.
        gradient: lambda of the gradient term, on the scale of L1.
        smoothness: lambda_s, on coordinates in [0, 1]. At 10 the warp stiffens (-3 dB on an untinted guide), at 0 kappa
            grows by a third on a tinted guide.
        distance: lambda_d; at 0.5 it holds back the fit of a sub-pixel warp (-0.9 dB) but keeps the spectra of a tinted
            guide (+0.3 dB): 0.1 lies between.
    """

    l1: float = 1.0
    patch: float = 1.0
    mutual_information: float = 0.1
    ssim: float = 0.5
    gradient: float = 1.0
    smoothness: float = 1.0
    distance: float = 0.1


def patch_coverage(height: int, width: int, patch_size: int, like: Tensor) -> Tensor:
    """Count how many unfolded patches see each pixel, over the number of patch positions.

    The L1 distance between two images' unfolded patches counts every pixel's difference once for each patch that
    contains it, so it is the pixel-wise L1 weighted by this map, without unfolding anything.

    Args:
        height: H.
        width: W.
        patch_size: odd side of the patch; borders are clamped.
        like: gives dtype and device.

    Returns:
        H x W, one everywhere but near the border.
    """
    radius = patch_size // 2
    visits = torch.zeros(height + 2 * radius, width + 2 * radius, dtype=like.dtype, device=like.device)
    for row in range(patch_size):
        for column in range(patch_size):
            visits[row : row + height, column : column + width] += 1
    return clamp_fold(visits, radius).clone() / patch_size**2


def total_variation(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean absolute forward difference of C x N x H x W planes, and its gradient.

    Args:
        planes: C x N x H x W.

    Returns:
        Value of each image, N (sum of the two directions' means), and the gradient of each image's value.
    """
    vertical = planes[..., 1:, :] - planes[..., :-1, :]
    horizontal = planes[..., 1:] - planes[..., :-1]
    gradient = torch.zeros_like(planes)
    value = planes.new_zeros(planes.shape[1])
    channels = planes.shape[0]
    if vertical.shape[-2]:
        count = channels * vertical[0, 0].numel()
        value += vertical.abs().sum((0, 2, 3)) / count
        sign = vertical.sign_().div_(count)
        gradient[..., 1:, :] += sign
        gradient[..., :-1, :] -= sign
    if horizontal.shape[-1]:
        count = channels * horizontal[0, 0].numel()
        value += horizontal.abs().sum((0, 2, 3)) / count
        sign = horizontal.sign_().div_(count)
        gradient[..., 1:] += sign
        gradient[..., :-1] -= sign
    return value, gradient


class ImageObjective:
    """The five terms of Eq. 20 that compare the synthesised RGB with the guide."""

    def __init__(self, guide: Tensor, weights: LossWeights, patch_size: int) -> None:
        """Prepare what depends on the guide alone.

        Args:
            guide: 3 x N x H x W in [0, 1].
            weights: weights of Eq. 20; a term of weight 0 is not computed.
            patch_size: side of the patches of the patch term.
        """
        self._guide = guide
        height, width = int(guide.shape[-2]), int(guide.shape[-1])
        coverage = patch_coverage(height, width, patch_size, guide)
        self._coverage = (weights.l1 + weights.patch * coverage) / (guide.shape[0] * height * width)
        self._terms: list[tuple[float, Callable[[Tensor], tuple[Tensor, Tensor]]]] = []
        if weights.gradient:
            self._terms.append((weights.gradient, lambda estimate: total_variation(estimate - guide)))
        if weights.mutual_information:
            self._terms.append((weights.mutual_information, MutualInformation(guide)))
        if weights.ssim:
            self._terms.append((weights.ssim, StructuralSimilarity(guide)))

    def __call__(self, estimate: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted sum of the terms and its gradient.

        Args:
            estimate: synthesised RGB, 3 x N x H x W.

        Returns:
            Value of each image, N, and the gradient of each image's value, 3 x N x H x W.
        """
        difference = estimate - self._guide
        value = (difference.abs() * self._coverage).sum((0, 2, 3))
        gradient = difference.sign().mul_(self._coverage)
        for weight, term in self._terms:
            part, slope = term(estimate)
            value += weight * part
            gradient.add_(slope, alpha=weight)
        return value, gradient
