"""Expansion of the seeds and selection of the K candidates by mean L1 distance (HIR-ALIGN Eq. 11-13)."""

from __future__ import annotations

import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors

# Of a pool's descriptors: on a CPU what the cache holds, elsewhere so many that starting an operation costs nothing.
_CHUNK_FLOATS = 2**21
_LAUNCHED_FLOATS = 2**26


def expand(seeds: Tensor, height: int, width: int, radius: int) -> tuple[Tensor, Tensor]:
    """Return the neighbourhoods of the seeds, Eq. 11.

    Args:
        seeds: flat proxy pixel numbers, Q x S.
        height: H.
        width: W.
        radius: rho, in pixels.

    Returns:
        Pool, Q x (S (2 rho + 1)^2), ascending in each row, and a mask of the same shape that is true for entries to be
        passed over: repetitions and positions outside the image (clamped, so they are repetitions too).
    """
    reach = torch.arange(-radius, radius + 1, device=seeds.device)
    y = torch.div(seeds, width, rounding_mode="floor")
    rows = (y[:, :, None] + reach).clamp_(0, height - 1)
    columns = ((seeds - y * width)[:, :, None] + reach).clamp_(0, width - 1)
    pool = (rows[..., :, None] * width + columns[..., None, :]).flatten(1)
    pool = pool.to(torch.int32).sort(1).values
    repeated = torch.zeros_like(pool, dtype=torch.bool)
    repeated[:, 1:] = pool[:, 1:] == pool[:, :-1]
    return pool, repeated


def mean_absolute_distances(guide: PatchDescriptors, proxy: PatchDescriptors, pixels: Tensor, pool: Tensor) -> Tensor:
    """Return the mean L1 descriptor distance between each guide pixel and its pool, Eq. 12.

    Args:
        guide: descriptors of the guide.
        proxy: descriptors of the proxy.
        pixels: guide pixels, Q.
        pool: proxy pixels, Q x P.

    Returns:
        Q x P.
    """
    queries, size = pool.shape
    near, far = guide.corners(pixels), proxy.corners(pool.reshape(-1).long())
    total: Tensor | None = None
    for row in range(guide.patch_size):
        here = guide.patch_row(near, row)[:, None]
        there = proxy.patch_row(far, row).view(queries, size, -1)
        part = torch.cdist(here, there, p=1)[:, 0]
        total = part if total is None else total.add_(part)
    assert total is not None  # noqa: S101 - a patch has at least one row
    return total.div_(guide.dimension)


def refine(
    guide: PatchDescriptors, proxy: PatchDescriptors, seeds: Tensor, radius: int, keep: int
) -> tuple[Tensor, Tensor]:
    """Return the K best candidates of every guide pixel, Eq. 13.

    Each pixel of a pool counts once; only a pool with fewer than K different pixels (a tiny image) repeats some.

    Args:
        guide: descriptors of the guide.
        proxy: descriptors of the proxy.
        seeds: flat proxy pixel numbers, n x S.
        radius: rho of Eq. 11.
        keep: K.

    Returns:
        Candidates (int64) and their mean-L1 distances, K x n each, nearest first.
    """
    count = seeds.shape[0]
    pool_size = seeds.shape[1] * (2 * radius + 1) ** 2
    floats = _CHUNK_FLOATS if seeds.device.type == "cpu" else _LAUNCHED_FLOATS
    chunk = max(1, floats // (pool_size * guide.patch_size * guide.channels))
    candidates = torch.empty(keep, count, dtype=torch.int64, device=seeds.device)
    distances = torch.empty(keep, count, dtype=guide.dtype, device=seeds.device)
    for start in range(0, count, chunk):
        stop = min(start + chunk, count)
        pool, repeated = expand(seeds[start:stop], proxy.height, proxy.width, radius)
        pixels = torch.arange(start, stop, device=seeds.device)
        found = mean_absolute_distances(guide, proxy, pixels, pool)
        order = found.masked_fill(repeated, torch.inf)
        chosen = _nearest(order, keep)
        candidates[:, start:stop] = pool.gather(1, chosen).t()
        distances[:, start:stop] = found.gather(1, chosen).t()
    return candidates, distances


def _nearest(order: Tensor, keep: int) -> Tensor:
    """Positions of the `keep` smallest entries, cycling through the pool where it is smaller than that."""
    available = min(keep, order.shape[1])
    chosen = order.topk(available, 1, largest=False).indices
    if available < keep:
        chosen = chosen.repeat(1, -(-keep // available))[:, :keep]
    return chosen
