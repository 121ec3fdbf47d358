"""A seeded textured cube, images of it, and neighbours found by brute force."""

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.transfer.descriptors import PatchDescriptors


def smooth_cube(channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """A textured cube in [0, 1]: smooth bands plus finer detail shared between neighbouring bands."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(channels, height, width)
    for cells, weight in ((5, 1.0), (11, 0.6), (23, 0.4)):
        coarse = torch.rand(1, channels, cells, cells, generator=generator)
        total += weight * functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
    total = total.cumsum(0) / torch.arange(1, channels + 1).view(-1, 1, 1)
    return (total - total.min()) / (total.max() - total.min())


def image_pair(cube: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the next three bands as images 3 x 1 x H x W in float64."""
    return cube[:3, None].double(), cube[3:6, None].double()


def brute_force(proxy: PatchDescriptors, guide: PatchDescriptors, count: int) -> Tensor:
    """The numbers of the nearest proxy pixels, found from all distances."""
    points, queries = proxy.chunk(0, proxy.count).double(), guide.chunk(0, guide.count).double()
    return torch.cdist(queries, points).topk(count, 1, largest=False).indices
