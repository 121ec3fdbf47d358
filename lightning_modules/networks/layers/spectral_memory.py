"""Spectral enhancement with a memory of low-rank vectors (arXiv 2304.00844, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SpectralMemory"]


class SpectralMemory(nn.Module):
    """Pointwise channel mixing, gated per window by a mixture of learned low-rank spectral vectors.

    The mean feature of each window is projected to `channels // reduction` coefficients, replaced by a
    softmax-weighted mixture of the memory's vectors, and expanded to one sigmoid gate per channel.

    Args:
        channels: feature channels entering and leaving.
        window: side of the square windows in pixels that share one gate.
        slots: number of memory vectors.
        reduction: channels per low-rank coefficient.
    """

    def __init__(self, channels: int, window: int, slots: int = 128, reduction: int = 8) -> None:
        super().__init__()
        rank = channels // reduction
        self.window = window
        self.squeeze = nn.Linear(channels, channels // 4)
        self.expand = nn.Linear(channels // 4, channels)
        self.memory = nn.Parameter(torch.randn(rank, slots))
        self.to_rank = nn.Linear(channels, rank)
        self.to_gate = nn.Linear(rank, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels of `B x H x W x C` features and gate them window by window; H and W divide by the window."""
        batch, height, width, channels = features.shape
        window = self.window
        mixed = self.expand(functional.gelu(self.squeeze(features)))
        tiles = mixed.view(batch, height // window, window, width // window, window, channels)
        coefficients = self.to_rank(tiles.mean(dim=(2, 4)))
        weights = torch.softmax(coefficients @ self.memory * self.memory.shape[0] ** -0.5, dim=-1)
        gate = torch.sigmoid(self.to_gate(weights @ self.memory.t()))
        gated: Tensor = tiles * gate[:, :, None, :, None]
        return gated.view(batch, height, width, channels)
