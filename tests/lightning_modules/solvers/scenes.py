"""Small cubes of a known rank, and noise on them, for properties that need no recording."""

from __future__ import annotations

import torch
from torch import Tensor


def clean_scene(bands: int, height: int, width: int, seed: int = 0, rank: int = 3) -> Tensor:
    """Smooth spectra times piecewise constant maps in [0, 1], `1 x C x H x W` in float64."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.linspace(0, 1, bands, dtype=torch.float64)
    centres = torch.rand(rank, 1, generator=generator, dtype=torch.float64)
    spectra = torch.exp(-((place - centres) ** 2) / 0.08)
    coarse = torch.rand(1, rank, 4, 4, generator=generator, dtype=torch.float64)
    maps = torch.nn.functional.interpolate(coarse, size=(height, width), mode="nearest")[0]
    cube = torch.einsum("rc,rhw->chw", spectra, maps)
    return (cube / cube.max())[None]


def noisy_scene(clean: Tensor, seed: int = 0, least: float = 0.04, most: float = 0.2) -> Tensor:
    """Gaussian noise whose deviation differs from band to band."""
    generator = torch.Generator().manual_seed(100 + seed)
    deviation = least + (most - least) * torch.rand(clean.shape[1], generator=generator, dtype=torch.float64)
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    return clean + deviation[:, None, None] * noise
