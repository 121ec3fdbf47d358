"""Direction 2 of BDT: the cube from its own size up in steps of two, with attention among channels in groups of pixels.

The blocks are Restormer's but for the attention, which is computed in every group of 8 x 8 pixels by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.restormer import NORM_EPSILON, ChannelLayerNorm, GatedFeedForward

__all__ = ["GROUP", "SpectralDirection", "double"]

GROUP = 8
"""Side of a group of pixels that attends for itself."""


class GroupedChannelAttention(nn.Module):
    """Attention among channels in every group of pixels.

    Args:
        channels: entering and leaving.
        heads: attention heads.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, kernel_size=1, bias=False)
        self.depthwise = nn.Conv2d(
            3 * channels, 3 * channels, kernel_size=3, padding=1, groups=3 * channels, bias=False
        )
        self.project = nn.Conv2d(channels, channels, kernel_size=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Attend in `B x C x H x W`."""
        batch, channels, height, width = features.shape
        rows, columns = height // GROUP, width // GROUP
        mixed = self.depthwise(self.qkv(features))
        groups = mixed.view(batch, 3, self.heads, -1, rows, GROUP, columns, GROUP)
        groups = groups.permute(1, 0, 4, 6, 2, 3, 5, 7).reshape(3, -1, self.heads, channels // self.heads, GROUP**2)
        query, key, value = groups.unbind(0)
        with torch.autocast(features.device.type, enabled=False):
            query, key = query.float(), key.float()
            lengths = [torch.linalg.vector_norm(one, dim=-1).clamp_min(NORM_EPSILON) for one in (query, key)]
            scores = query @ key.mT / (lengths[0][..., :, None] * lengths[1][..., None, :])
            attention = torch.softmax(scores * self.temperature, dim=-1)
        attended = (attention.to(value.dtype) @ value).view(batch, rows, columns, channels, GROUP, GROUP)
        projected: Tensor = self.project(attended.permute(0, 3, 1, 4, 2, 5).reshape(features.shape))
        return projected


class ChannelBlock(nn.Module):
    """Grouped channel attention, then the gated feed-forward network, each after a norm and with a skip."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm1 = ChannelLayerNorm(channels)
        self.attention = GroupedChannelAttention(channels, heads)
        self.norm2 = ChannelLayerNorm(channels)
        self.feed_forward = GatedFeedForward(channels, 2.66)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        features = features + self.attention(self.norm1(features))
        mapped: Tensor = features + self.feed_forward(self.norm2(features))
        return mapped


def double(channels: int) -> nn.Conv2d:
    """Return the convolution whose channels `doubled` lays out as an image of twice the size."""
    return nn.Conv2d(channels, 4 * channels, kernel_size=3, padding=1, bias=False)


def doubled(features: Tensor, convolution: nn.Module) -> Tensor:
    """Enlarge `B x C x H x W` to `B x C x 2H x 2W`."""
    return functional.pixel_shuffle(convolution(features), 2)


class SpectralDirection(nn.Module):
    """Features of the cube at every level, from its own size up.

    Args:
        bands: spectral bands of the cube.
        channels: feature channels of all levels.
        levels: how many.
        heads: attention heads.
    """

    def __init__(self, bands: int, channels: int, levels: int, heads: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(bands, channels, kernel_size=3, padding=1, bias=False)
        self.stages = nn.ModuleList(ChannelBlock(channels, heads) for _ in range(levels))
        self.ups = nn.ModuleList(double(channels) for _ in range(levels - 1))

    def forward(self, observation: Tensor) -> list[Tensor]:
        """Map `B x C x h x w` to features, the cube's own size first."""
        features = self.stages[0](self.conv(observation))
        found = [features]
        for up, stage in zip(self.ups, self.stages[1:], strict=True):
            features = stage(doubled(features, up))
            found.append(features)
        return found
