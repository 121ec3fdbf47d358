"""Spectral attention of SSTF-Unet: attention among channels over all pixels (MST's MS-MSA), then a feed-forward."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.layers.pointwise import mix_channels

__all__ = ["SpectralLayer"]

NORM_EPSILON = 1e-12


class SpectralAttention(nn.Module):
    """Attention among channels, queries and keys normalised over all pixels, beside a positional branch of the values.

    The published code normalises tensors as large as the image and multiplies attention, values and projection in turn;
    here the lengths divide the small scores and the projection is merged with them before it meets the values.

    Args:
        channels: entering and leaving.
        heads: attention heads; must divide the channels.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.project = nn.Linear(channels, channels)
        self.position = nn.Sequential(*_depthwise(channels), nn.GELU(), *_depthwise(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Attend in `B x C x H x W`."""
        pixels = features.flatten(2)
        query, key, value = (mix_channels(one.weight, pixels) for one in (self.query, self.key, self.value))
        with torch.autocast(features.device.type, enabled=False):
            query, key = (one.float().unflatten(1, (self.heads, -1)) for one in (query, key))
            lengths = [torch.linalg.vector_norm(one, dim=-1).clamp_min(NORM_EPSILON) for one in (query, key)]
            scores = key @ query.mT / (lengths[1][..., :, None] * lengths[0][..., None, :])
            attention = torch.softmax(scores * self.rescale, dim=-1)
        projection = self.project.weight.unflatten(1, (self.heads, -1)).transpose(0, 1)
        merged = (projection @ attention.to(projection.dtype)).transpose(1, 2).flatten(2)
        attended = (merged @ value + self.project.bias[:, None]).unflatten(2, features.shape[2:])
        positioned: Tensor = attended + self.position(value.unflatten(2, features.shape[2:]))
        return positioned


def _depthwise(channels: int) -> tuple[nn.Module]:
    return (nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels, bias=False),)


class SpectralLayer(nn.Module):
    """Spectral attention and a convolutional feed-forward, each with a skip; only the feed-forward is normalised first.

    Args:
        channels: feature channels.
        heads: attention heads.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = SpectralAttention(channels, heads)
        self.norm = nn.LayerNorm(channels)
        self.feed_forward = nn.Sequential(
            nn.Conv2d(channels, 4 * channels, kernel_size=1, bias=False),
            nn.GELU(),
            *_depthwise(4 * channels),
            nn.GELU(),
            nn.Conv2d(4 * channels, channels, kernel_size=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        features = features + self.attention(features)
        normed = self.norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        mapped: Tensor = features + self.feed_forward(normed)
        return mapped
