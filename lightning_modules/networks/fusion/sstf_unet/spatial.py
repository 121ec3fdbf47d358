"""Spatial attention of SSTF-Unet: a pair of Swin blocks with windows of 7 x 7, the second one shifted by 3.

Images are continued by zeros to whole windows, after the norm, and the zeros take part in the attention, as published.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.drop_path import DropPath
from lightning_modules.networks.layers.window_attention import WindowAttention, merge_windows, partition_windows

__all__ = ["SpatialLayer"]


class SwinBlock(nn.Module):
    """Window attention, then two linear layers, each after a norm and with a skip."""

    def __init__(self, channels: int, heads: int, window: int, shift: int, drop_path: float) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads, window, shift)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.drop_path = DropPath(drop_path)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape."""
        height, width = features.shape[1:3]
        missing = (0, 0, 0, -width % self.window, 0, -height % self.window)
        shifted = functional.pad(self.norm1(features), missing)
        if self.shift:
            shifted = torch.roll(shifted, (-self.shift, -self.shift), dims=(1, 2))
        attended = merge_windows(self.attention(partition_windows(shifted, self.window)), self.window)
        if self.shift:
            attended = torch.roll(attended, (self.shift, self.shift), dims=(1, 2))
        features = features + self.drop_path(attended[:, :height, :width])
        mapped: Tensor = features + self.drop_path(self.mlp(self.norm2(features)))
        return mapped


class SpatialLayer(nn.Module):
    """Two Swin blocks.

    Args:
        channels: feature channels.
        heads: attention heads; must divide the channels.
        window: side of a window.
        drop_path: probability with which training leaves out each block's branches.
    """

    def __init__(self, channels: int, heads: int, window: int, drop_path: Sequence[float]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                SwinBlock(channels, heads, window, window // 2 if number % 2 else 0, chance)
                for number, chance in enumerate(drop_path)
            )
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        mapped: Tensor = self.blocks(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return mapped
