"""Small noisy cubes and backbones for networks behind a solver."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules import SERT


class Local(nn.Module):
    """A pixelwise backbone, so that tiles cannot change what it gives."""

    def __init__(self, input_channels: int) -> None:
        super().__init__()
        self.input_channels = input_channels
        self.layer = nn.Conv2d(input_channels, input_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        restored: Tensor = images + 0.1 * self.layer(images)
        return restored


def observation(bands: int = 12, side: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(bands)
    abundances = nn.functional.interpolate(torch.rand(1, 3, 5, 5, generator=generator), size=(side, side))
    clean = torch.einsum("bkhw,kc->bchw", abundances, torch.rand(3, bands, generator=generator)) / 3
    deviation = torch.linspace(0.02, 0.1, bands)[:, None, None]
    return clean + deviation * torch.randn(clean.shape, generator=generator)


def compact_sert(channels: int) -> SERT:
    return SERT(
        input_channels=channels,
        dim=8,
        window_sizes=[8],
        depths=[1],
        num_heads=[2],
        split_sizes=[1],
        initialisation="identity",
    )


class Same(nn.Identity):
    """Says how many bands it was built for."""

    def __init__(self, input_channels: int) -> None:
        super().__init__()
        self.input_channels = input_channels
