"""Learning chosen pixels again: a transformer of linear layers whose attention is among channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ChannelAttention", "Relearning", "relearn"]


class ChannelAttention(nn.Module):
    """Attention among the channels of a set of pixels; their order does not matter.

    Args:
        channels: entering and leaving.
        heads: attention heads of `channels // heads` columns each, so the width may be below `channels`.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        width = channels // heads * heads
        self.heads = heads
        self.query = nn.Linear(channels, width, bias=False)
        self.key = nn.Linear(channels, width, bias=False)
        self.value = nn.Linear(channels, width, bias=False)
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.project = nn.Linear(width, channels)
        self.position = nn.Sequential(nn.Linear(width, channels), nn.GELU(), nn.Linear(channels, channels))

    def forward(self, pixels: Tensor) -> Tensor:
        """Attend in `B x n x C`."""
        query, key = (
            functional.normalize(one.unflatten(-1, (self.heads, -1)).float(), dim=1).permute(0, 2, 3, 1)
            for one in (self.query(pixels), self.key(pixels))
        )
        value = self.value(pixels)
        attention = torch.softmax(key @ query.mT * self.rescale, dim=-1)
        # The projection meets the small channel-by-channel weights instead of the pixels' attended values.
        merged = attention.mT.to(value.dtype) @ self.project.weight.mT.unflatten(0, (self.heads, -1)).to(value.dtype)
        attended = torch.baddbmm(self.project.bias.to(value.dtype)[None, None], value, merged.flatten(1, 2))
        result: Tensor = attended + self.position(value)
        return result


class Relearning(nn.Module):
    """Channel attention, then two linear layers, each after a norm and with a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.attention = ChannelAttention(channels)
        self.feed_forward = nn.Sequential(
            nn.Linear(channels, channels // 2, bias=False),
            nn.LeakyReLU(0.1),
            nn.Linear(channels // 2, channels, bias=False),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Map `B x n x C` pixels to pixels of the same shape."""
        pixels = pixels + self.attention(self.norm1(pixels))
        refined: Tensor = pixels + self.feed_forward(self.norm2(pixels))
        return refined


def relearn(features: Tensor, chosen: Sequence[Tensor], refine: Relearning) -> Tensor:
    """Add to `B x C x h x w` features what is learned again at the chosen pixels.

    Args:
        features: `B x C x h x w`.
        chosen: pixel numbers, `B x n` for all images or `1 x n` for each.
        refine: what learns them again.

    Returns:
        `B x C x h x w`.
    """
    parts = features.split(len(features) // len(chosen))
    added = []
    for part, numbers in zip(parts, chosen, strict=True):
        tokens = part.flatten(2)
        index = numbers[:, None].expand(-1, tokens.shape[1], -1)
        refined = refine(tokens.gather(2, index).mT).mT
        added.append(tokens.scatter_add(2, index, refined.to(tokens.dtype)))
    learned: Tensor = torch.cat(added).unflatten(2, features.shape[2:])
    return learned
