"""Arguments for scans: step sizes and decays as a trained Mamba has them."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan import SecondInput

Arguments = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def scan_arguments(
    batch: int = 2,
    channels: int = 4,
    states: int = 3,
    length: int = 20,
    groups: int = 0,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Arguments:
    """u, delta (positive), A (negative), B, C (grouped if `groups`), D."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    matrix = (batch, groups, states, length) if groups else (batch, states, length)
    u, delta = draw(batch, channels, length), draw(batch, channels, length).mul(1.5).exp().mul(0.1)
    return u, delta, -draw(channels, states).exp(), draw(*matrix), draw(*matrix), draw(channels)


def second_input(arguments: Arguments, weight: float = 0.1) -> SecondInput:
    """Step sizes and input matrix of the other modality for the same shapes."""
    generator = torch.Generator().manual_seed(7)
    u, b = arguments[0], arguments[3]
    delta = torch.rand(u.shape, generator=generator, dtype=torch.float64).to(u.dtype)
    return SecondInput(delta, torch.randn(b.shape, generator=generator, dtype=torch.float64).to(b.dtype), weight)
