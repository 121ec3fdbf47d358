"""The matching of pixels and words by cross-entropy, which CO2IF's Table 2 ("w/ CE") sets against optimal transport.

The paper says only that cross-entropy *replaces* the transport. No labels of pixels exist, so it is read as the usual
image-text matching: every pixel attends to the words by a softmax of cosines (no constraint on how much a word is
used), and the features learn from classifying which caption of the batch belongs to which image.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.fusion.co2if.mutual_information import cosine_similarity

__all__ = ["matching_cross_entropy", "softmax_plan"]


def softmax_plan(
    image_tokens: Tensor, text_tokens: Tensor, temperature: float = 0.07, text_mask: Tensor | None = None
) -> Tensor:
    """Return the softmax of cosines over text tokens, scaled as a transport plan.

    Args:
        image_tokens: `B x N x D`.
        text_tokens: `B x M x D`.
        temperature: what the cosines are divided by.
        text_mask: `B x M`, true for real text tokens; padded ones receive nothing.

    Returns:
        `B x N x M` of sum 1; rows sum to 1 / N, columns to anything.
    """
    logits = cosine_similarity(image_tokens, text_tokens) / temperature
    if text_mask is not None:
        logits = logits.masked_fill(~text_mask[:, None], -torch.inf)
    return logits.softmax(dim=-1) / image_tokens.shape[1]


def matching_cross_entropy(
    image_tokens: Tensor, text_tokens: Tensor, temperature: float = 0.07, text_mask: Tensor | None = None
) -> Tensor:
    """Return the symmetric cross-entropy of matching images and captions of a batch by the cosine of their mean tokens.

    Args:
        image_tokens: `B x N x D`.
        text_tokens: `B x M x D`.
        temperature: what the cosines are divided by.
        text_mask: `B x M`, true for real text tokens; the mean is over these.

    Returns:
        Scalar in nats, at least 0; 0 for a batch of one, which has nothing to tell apart.
    """
    image = functional.normalize(image_tokens.mean(dim=1), dim=-1)
    if text_mask is None:
        text_mask = torch.ones_like(text_tokens[..., 0], dtype=torch.bool)
    text = functional.normalize((text_tokens * text_mask[..., None]).sum(dim=1), dim=-1)
    logits = torch.matmul(image, text.transpose(0, 1)) / temperature
    labels = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.transpose(0, 1), labels)) / 2
