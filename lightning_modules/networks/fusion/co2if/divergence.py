"""Sinkhorn divergence of image and text tokens as one number, by geomloss (Feydy et al., AISTATS 2019)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.errors import MissingPackageError
from lightning_modules.networks.fusion.co2if.sinkhorn import check_text_mask

__all__ = ["sinkhorn_divergence"]


def sinkhorn_divergence(
    image_tokens: Tensor, text_tokens: Tensor, epsilon: float = 0.01, text_mask: Tensor | None = None
) -> Tensor:
    """Return the debiased entropic transport cost between the two clouds of tokens on the unit sphere.

    Between unit vectors geomloss's cost `|x - t|^2 / 2` is `1 - cosine`, the cost of CO2IF without its weight G. Only
    the number is taken from geomloss: the plan belonging to its potentials misses the marginals (by 0.07 at its
    usual accuracy). The debiasing terms compare image tokens with each other: `O(N^2)` time and memory.

    Args:
        image_tokens: `B x N x D`.
        text_tokens: `B x M x D`.
        epsilon: weight of the entropy, in units of the cost; geomloss's blur is its root.
        text_mask: `B x M`, true for real text tokens.

    Returns:
        `B`, float32 (float64 for such tokens), differentiable; 0 for equal clouds.

    Raises:
        ModuleNotFoundError: geomloss is not installed.
        ValueError: the mask has another shape or leaves a caption without tokens.
    """
    try:
        from geomloss import SamplesLoss
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "sinkhorn_divergence needs geomloss, which is not installed; install it with: pip install geomloss"
        ) from error
    precision = torch.promote_types(image_tokens.dtype, torch.float32)
    image = functional.normalize(image_tokens.to(precision), dim=-1)
    text = functional.normalize(text_tokens.to(precision), dim=-1)
    if text_mask is None:
        text_mask = torch.ones_like(text[..., 0], dtype=torch.bool)
    check_text_mask(text_mask, (text.shape[0], text.shape[1]))
    image_weights = torch.full_like(image[..., 0], 1 / image.shape[1])
    text_weights = text_mask.to(precision) / text_mask.sum(dim=1, keepdim=True)
    with torch.autocast(image.device.type, enabled=False):
        loss = SamplesLoss("sinkhorn", p=2, blur=epsilon**0.5, debias=True, backend="tensorized")
        divergence: Tensor = loss(image_weights, image, text_weights, text)
    return divergence
