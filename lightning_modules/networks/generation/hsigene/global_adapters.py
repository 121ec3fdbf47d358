"""HSIGene's global conditions: text and image content become context tokens, metadata joins the time embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.generation.hsigene.blocks import GatedFeedForward

__all__ = ["ContentAdapter", "MetadataEmbedding", "TextAdapter"]


class TextAdapter(nn.Module):
    """Two normalised gated perceptrons on every text token.

    Args:
        context: width of the tokens, before and after.
    """

    def __init__(self, context: int = 768) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(context)
        self.first = GatedFeedForward(context, 2 * context, 2 * context)
        self.norm2 = nn.LayerNorm(2 * context)
        self.second = GatedFeedForward(2 * context, context, 8 * context)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `B x N x context` tokens to tokens of the same shape."""
        adapted: Tensor = self.second(self.norm2(self.first(self.norm1(tokens))))
        return adapted


class ContentAdapter(nn.Module):
    """Two normalised gated perceptrons that make four context tokens of one image embedding.

    Args:
        context: width of the embedding and of the tokens.
    """

    def __init__(self, context: int = 768) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(context)
        self.first = GatedFeedForward(context, 2 * context, 4 * context)
        self.norm2 = nn.LayerNorm(2 * context)
        self.second = GatedFeedForward(2 * context, 4 * context, 8 * context)

    def forward(self, embedding: Tensor) -> Tensor:
        """Map a `B x context` embedding to `B x 4 x context` tokens."""
        adapted = self.second(self.norm2(self.first(self.norm1(embedding))))
        tokens: Tensor = adapted.unflatten(1, (4, -1))
        return tokens


class MetadataEmbedding(nn.Module):
    """Sum of linear maps of the interleaved sines and cosines of a few numbers.

    The published scripts give seven zeros. That is not a zero embedding, because the cosines are 1.

    Args:
        numbers: how many numbers.
        features: sines and cosines of each.
        embedding: width of the result.
        factor: by which the numbers are multiplied first.
    """

    def __init__(self, numbers: int = 7, features: int = 320, embedding: int = 1280, factor: float = 1000.0) -> None:
        super().__init__()
        self.features = features
        self.factor = factor
        self.projections = nn.ModuleList(nn.Linear(features, embedding) for _ in range(numbers))

    def forward(self, metadata: Tensor) -> Tensor:
        """Map `B x numbers` to `B x embedding`."""
        exponents = torch.arange(0, self.features, 2, device=metadata.device) / self.features
        angles = metadata.float()[..., None] * self.factor * 10000.0**-exponents
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
        parts = [projection(waves[:, number]) for number, projection in enumerate(self.projections)]
        return torch.stack(parts).sum(dim=0)
