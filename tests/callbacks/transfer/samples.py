"""A seeded textured cube."""

import torch
from torch import Tensor
from torch.nn import functional


def smooth_cube(channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """A textured cube in [0, 1]: smooth bands plus finer detail shared between neighbouring bands."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(channels, height, width)
    for cells, weight in ((5, 1.0), (11, 0.6), (23, 0.4)):
        coarse = torch.rand(1, channels, cells, cells, generator=generator)
        total += weight * functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
    total = total.cumsum(0) / torch.arange(1, channels + 1).view(-1, 1, 1)
    return (total - total.min()) / (total.max() - total.min())
