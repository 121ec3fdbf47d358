"""The attentions of S2CycleDiff's denoisers; none of them has a softmax over scores, so all are linear in the pixels.

Published order: keys times values, then times queries, over all pairs of pixels in the spatial form. The same products
are taken here in the order whose intermediate result is channels x channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SelfAttention", "SpatialCrossAttention", "SpectralCrossAttention", "reductions"]

MOST_REDUCTIONS = 3


def reductions(height: int) -> int:
    """Count how often the spatial attention halves an image of this height.

    As published: the whole part of log2(h / 20), or of log2(h / 64) for 512. The published code fails where that is 4
    or more (heights of 320 and above but 512); 3 is taken there.
    """
    times = height / 64 if height == 512 else height / 20
    return min(MOST_REDUCTIONS, max(0, int(math.log2(times))))


def attend(keys: Tensor, values: Tensor, queries: Tensor) -> Tensor:
    """Return the linear attention of `B x C x H x W` images: softmax of the keys over the pixels."""
    related = functional.softmax(keys.flatten(2), dim=-1) @ values.flatten(2).mT
    return (related.mT @ queries.flatten(2)).view_as(queries)


class SelfAttention(nn.Module):
    """Linear attention of an image to itself, added with a factor."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, kernel_size=1, bias=False)
        self.project = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, image: Tensor, factor: float) -> Tensor:
        """Map `B x C x H x W` to the same shape."""
        if factor == 0:
            return image
        queries, keys, values = self.qkv(self.norm(image)).chunk(3, dim=1)
        attended: Tensor = image + factor * self.project(attend(keys, values, queries))
        return attended


class SpectralCrossAttention(nn.Module):
    """Queries and keys of one image, values of the other; of both published projections only these thirds are used."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv_1 = nn.Conv2d(channels, 3 * channels, kernel_size=1, bias=False)
        self.qkv_2 = nn.Conv2d(channels, 3 * channels, kernel_size=1, bias=False)
        self.project = nn.Conv2d(channels, channels, kernel_size=1)

    def values(self, other: Tensor) -> Tensor:
        """Return what `forward` takes of the other image `B x C x H x W`, the same in every step."""
        return functional.conv2d(self.norm(other), self.qkv_2.weight[2 * other.shape[1] :])

    def forward(self, image: Tensor, values: Tensor, factor: float) -> Tensor:
        """Map `B x C x H x W` to the same shape."""
        if factor == 0:
            return image
        channels = image.shape[1]
        queries, keys = functional.conv2d(self.norm(image), self.qkv_1.weight[: 2 * channels]).chunk(2, dim=1)
        attended: Tensor = image + factor * self.project(attend(keys, values, queries))
        return attended


class SpatialCrossAttention(nn.Module):
    """Attention among the pixels of reduced images, whose features are queries, keys and values themselves."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.down = nn.ModuleList(
            nn.Conv2d(entering * channels, leaving * channels, kernel_size=3, padding=1)
            for entering, leaving in ((1, 2), (2, 2), (2, 4))
        )
        self.up = nn.ModuleList(
            nn.Conv2d(entering * channels, leaving * channels, kernel_size=3, padding=1)
            for entering, leaving in ((2, 1), (2, 2), (4, 2))
        )
        self.project = nn.Conv2d(channels, channels, kernel_size=1)

    def values(self, other: Tensor) -> Tensor:
        """Return what `forward` takes of the other image `B x C x H x W`, the same in every step."""
        return self._reduced(self.norm(other), reductions(other.shape[2]))

    def forward(self, image: Tensor, values: Tensor, factor: float) -> Tensor:
        """Map `B x C x H x W` to the same shape."""
        if factor == 0:
            return image
        count = reductions(image.shape[2])
        query = self._reduced(self.norm(image), count)
        pixels = query.flatten(2)
        related = pixels @ functional.softmax(pixels, dim=1).mT
        attended = (related @ values.flatten(2)).view_as(query)
        for convolution in reversed(self.up[:count]):
            attended = _resized(convolution(attended), 2.0)
        crossed: Tensor = image + factor * self.project(attended)
        return crossed

    def _reduced(self, image: Tensor, count: int) -> Tensor:
        for convolution in self.down[:count]:
            image = _resized(convolution(image), 0.5)
        return image


def _resized(image: Tensor, factor: float) -> Tensor:
    with torch.autocast(image.device.type, enabled=False):
        return functional.interpolate(image.float(), scale_factor=factor, mode="bicubic").to(image.dtype)
