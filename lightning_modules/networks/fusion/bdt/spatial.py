"""Direction 1 of BDT: both images at full size, down in steps of two, with attention in plain and dilated windows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["WINDOW", "SpatialDirection"]

WINDOW = 8
"""Side of a window; dilated ones take every second pixel of blocks of twice the side."""


def plain_windows(features: Tensor) -> Tensor:
    """Cut `B x H x W x C` into windows, `windows x 64 x C`."""
    batch, height, width, channels = features.shape
    blocks = features.view(batch, height // WINDOW, WINDOW, width // WINDOW, WINDOW, channels)
    return blocks.transpose(2, 3).reshape(-1, WINDOW * WINDOW, channels)


def from_plain_windows(windows: Tensor, shape: Sequence[int]) -> Tensor:
    """Put plain windows together to `B x H x W x C`."""
    batch, height, width, channels = shape
    blocks = windows.view(batch, height // WINDOW, width // WINDOW, WINDOW, WINDOW, channels)
    return blocks.transpose(2, 3).reshape(batch, height, width, channels)


def dilated_windows(features: Tensor) -> Tensor:
    """Cut `B x H x W x C` into windows of every second pixel, `windows x 64 x C`."""
    batch, height, width, channels = features.shape
    rows, columns = height // (2 * WINDOW), width // (2 * WINDOW)
    blocks = features.view(batch, rows, WINDOW, 2, columns, WINDOW, 2, channels)
    return blocks.permute(0, 1, 4, 3, 6, 2, 5, 7).reshape(-1, WINDOW * WINDOW, channels)


def from_dilated_windows(windows: Tensor, shape: Sequence[int]) -> Tensor:
    """Put dilated windows together to `B x H x W x C`."""
    batch, height, width, channels = shape
    rows, columns = height // (2 * WINDOW), width // (2 * WINDOW)
    blocks = windows.view(batch, rows, columns, 2, 2, WINDOW, WINDOW, channels)
    return blocks.permute(0, 1, 5, 3, 2, 6, 4, 7).reshape(batch, height, width, channels)


class WindowAttention(nn.Module):
    """Attention among the pixels of each window, without position bias and mask.

    Args:
        channels: entering and leaving.
        heads: attention heads.
        scale: factor of the scores before the softmax; the inverse root of a head's channels if None.
    """

    def __init__(self, channels: int, heads: int, scale: float | None) -> None:
        super().__init__()
        self.heads, self.scale = heads, scale
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, windows: Tensor) -> Tensor:
        """Attend in `windows x pixels x C`."""
        qkv = self.qkv(windows).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value, scale=self.scale)
        projected: Tensor = self.project(attended.transpose(1, 2).flatten(2))
        return projected


class WindowBlock(nn.Module):
    """Window attention, then two linear layers, each after a norm and with a skip."""

    def __init__(self, channels: int, heads: int, scale: float | None, dilated: bool) -> None:
        super().__init__()
        self.cut, self.join = (
            (dilated_windows, from_dilated_windows) if dilated else (plain_windows, from_plain_windows)
        )
        self.norm1 = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads, scale)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape."""
        windows = self.cut(features)
        # Norms and linear layers do not care where a pixel lies, so the whole block stays in windows.
        windows = windows + self.attention(self.norm1(windows))
        windows = windows + self.mlp(self.norm2(windows))
        return self.join(windows, features.shape)


class PatchMerging(nn.Module):
    """Halve an image: the four pixels of each block side by side, normalised and projected."""

    def __init__(self, channels: int, leaving: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduction = nn.Linear(4 * channels, leaving, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` to `B x H/2 x W/2 x C'`."""
        blocks = features.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
        # Column by column, as the published concatenation.
        merged: Tensor = self.reduction(self.norm(blocks.permute(0, 1, 3, 4, 2, 5).flatten(3)))
        return merged


class SpatialDirection(nn.Module):
    """Features of both images at every level, from the full size down.

    Args:
        entering: channels of the enlarged cube and the multispectral image together.
        channels: feature channels of each level.
        heads: attention heads.
        scale: of the attention's scores, see `WindowAttention`.
    """

    def __init__(self, entering: int, channels: Sequence[int], heads: int, scale: float | None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(entering, channels[0], kernel_size=3, padding=1)
        self.stages = nn.ModuleList(
            nn.Sequential(*(WindowBlock(width, heads, scale, dilated) for dilated in (False, True, False)))
            for width in channels
        )
        self.reductions = nn.ModuleList(PatchMerging(above, below) for above, below in itertools.pairwise(channels))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map `B x (C + c) x H x W` to features `B x C' x H' x W'`, the full size first."""
        features = self.conv(images).permute(0, 2, 3, 1)
        found = []
        for number, stage in enumerate(self.stages):
            if number:
                features = self.reductions[number - 1](features)
            features = stage(features.contiguous())
            found.append(features.permute(0, 3, 1, 2))
        return found


@torch.no_grad()
def draw_small(module: nn.Module) -> None:
    """Draw linear weights from N(0, 0.01) and set the biases of convolutions to 0, as published."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0, 0.01)
        elif isinstance(part, nn.Conv2d) and part.bias is not None:
            nn.init.zeros_(part.bias)
