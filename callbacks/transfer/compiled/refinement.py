"""`refine` and `nearest_of` by compiled loops: the same pools and distances, summed in another order."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from callbacks.transfer.compiled.library import address, library
from callbacks.transfer.descriptors import PatchDescriptors

__all__ = ["compiled_nearest_of", "compiled_refine"]

_RANKING_COUNTS = ("width", "padded_width", "patch", "length", "pool", "keep", "count", "threads")
_COUNTS = (
    "height", "width", "padded_width", "patch", "length", "seeds", "radius", "keep", "count", "threads",
)  # fmt: skip


class _Match(ctypes.Structure):
    """Sizes and addresses, as `Match` of refinement.cpp has them."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _COUNTS),
        ("dimension", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("guide", "proxy", "found", "candidates", "distances")),
    )


class _Ranking(ctypes.Structure):
    """Sizes and addresses, as `Ranking` of refinement.cpp has them."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _RANKING_COUNTS),
        *((name, ctypes.c_void_p) for name in ("queries", "proxy", "found", "chosen")),
    )


def compiled_nearest_of(queries: Tensor, proxy: PatchDescriptors, pool: Tensor, count: int) -> Tensor:
    """Return the nearest proxy pixels of each query's pool, by the full descriptors.

    Args:
        queries: Q x dimension, float32 on a CPU.
        proxy: descriptors of the proxy.
        pool: proxy pixels to choose among, Q x P; -1 where there is none. The first of a row is there.
        count: how many.

    Returns:
        Flat pixel numbers, Q x count, nearest first; the nearest again where the pool has fewer.
    """
    chosen = pool.new_empty(pool.shape[0], count)
    queries, pool = queries.contiguous(), pool.contiguous()
    sizes = (
        proxy.width, proxy.padded_width, proxy.patch_size, proxy.patch_size * proxy.channels, pool.shape[1], count,
        pool.shape[0], torch.get_num_threads(),
    )  # fmt: skip
    places = (address(queries), address(proxy.table), address(pool, torch.int64), address(chosen, torch.int64))
    ranking = _Ranking(*sizes, *places)
    library("refinement").transfer_rank(ctypes.byref(ranking))
    return chosen


def compiled_refine(
    guide: PatchDescriptors, proxy: PatchDescriptors, seeds: Tensor, radius: int, keep: int
) -> tuple[Tensor, Tensor]:
    """Return the K best candidates of every guide pixel, Eq. 13; equal distances in the order of the pixel numbers.

    Args:
        guide: descriptors of the guide, float32 on a CPU.
        proxy: descriptors of the proxy, of the same size.
        seeds: flat proxy pixel numbers, n x S.
        radius: rho of Eq. 11.
        keep: K.

    Returns:
        Candidates (int64) and their mean-L1 distances, K x n each, nearest first; where the pool has fewer than K
        different pixels, they repeat.
    """
    count = seeds.shape[0]
    candidates = seeds.new_empty(keep, count)
    distances = guide.table.new_empty(keep, count)
    seeds = seeds.contiguous()
    sizes = (
        proxy.height, proxy.width, proxy.padded_width, proxy.patch_size, proxy.patch_size * proxy.channels,
        seeds.shape[1], radius, keep, count, torch.get_num_threads(),
    )  # fmt: skip
    tables, found = (address(guide.table), address(proxy.table)), (seeds, candidates)
    places = (*tables, *(address(part, torch.int64) for part in found), address(distances))
    match = _Match(*sizes, guide.dimension, *places)
    library("refinement").transfer_refine(ctypes.byref(match))
    return candidates, distances
