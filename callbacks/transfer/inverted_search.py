"""Approximate nearest neighbours for large images: inverted lists over principal components, exact re-ranking.

Distances in the leading principal components are never larger than the true ones and nearly equal to them, so a list
of a few times K_s neighbours found there contains almost all of the true K_s; they are picked out by the full
descriptor distance. How many lists are visited is not a guess: `ProxyIndex` raises it until a sample of the guide's
own descriptors reaches the recall asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors

_CHUNK = 16384
_TRAINING_VECTORS = 16384

Ranking = Callable[[Tensor, PatchDescriptors, Tensor, int], Tensor]
"""Queries, the proxy, a pool of its pixels for each query and how many to choose; returns those, as `nearest_of`."""


@contextmanager
def faiss_threads(faiss: Any) -> Iterator[None]:  # noqa: ANN401 - faiss has no stubs
    """Let faiss use as many threads as torch, and put its own number back afterwards."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(torch.get_num_threads())
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class InvertedSearch:
    """An inverted-file index of the proxy's projected descriptors."""

    def __init__(self, proxy: PatchDescriptors, components: int, ranking: Ranking | None = None) -> None:
        """Fit the projection, cluster and add all descriptors, streamed in chunks.

        Args:
            proxy: descriptors of the proxy RGB.
            components: principal components kept.
            ranking: what chooses from the shortlists, `nearest_of` by default.
        """
        import faiss

        self._faiss = faiss
        self._proxy = proxy
        self._ranking = ranking or nearest_of
        stride = max(1, proxy.count // _TRAINING_VECTORS)
        sample = proxy.gather(torch.arange(0, proxy.count, stride, device=proxy.device))
        self._mean = sample.mean(0)
        centred = (sample - self._mean).double()
        # Ascending eigenvalues: the leading components are the last columns.
        axes = torch.linalg.eigh(centred.t() @ centred).eigenvectors
        self._axes = axes.flip(1)[:, :components].to(sample.dtype).contiguous()
        dimension = self._axes.shape[1]
        self.lists = 2 ** round(math.log2(2 * math.sqrt(proxy.count)))
        self._index: Any = faiss.IndexIVFFlat(faiss.IndexFlatL2(dimension), dimension, self.lists)
        self._index.cp.niter = 6
        self._index.cp.min_points_per_centroid = 1
        self._index.cp.max_points_per_centroid = 64
        stride = max(1, proxy.count // (32 * self.lists))
        with faiss_threads(faiss):
            training = torch.arange(0, proxy.count, stride, device=proxy.device)
            self._index.train(torch.cat([self._project(proxy.gather(part)) for part in training.split(_CHUNK)]).numpy())
            for start in range(0, proxy.count, _CHUNK):
                stop = min(start + _CHUNK, proxy.count)
                self._index.add(self._project(proxy.chunk(start, stop)).numpy())

    def _project(self, descriptors: Tensor) -> Tensor:
        projected: Tensor = (descriptors - self._mean) @ self._axes
        return projected.float().cpu()

    def search(self, queries: Tensor, count: int, probes: int, shortlist: int) -> Tensor:
        """Return the nearest proxy pixels of each query, nearest first, almost always the true ones.

        Args:
            queries: full descriptors, Q x dimension.
            count: neighbours wanted.
            probes: inverted lists visited.
            shortlist: neighbours found among the components before re-ranking.

        Returns:
            Flat pixel numbers, Q x count, int64, on the queries' device.
        """
        self._index.nprobe = min(probes, self.lists)
        with faiss_threads(self._faiss):
            found = self._index.search(self._project(queries).numpy(), shortlist)[1]
        pool = torch.from_numpy(found).to(queries.device)
        return self._ranking(queries, self._proxy, pool, count)


def nearest_of(queries: Tensor, proxy: PatchDescriptors, pool: Tensor, count: int) -> Tensor:
    """Return the nearest proxy pixels of each query's pool, by the full descriptors.

    Args:
        queries: Q x dimension.
        proxy: descriptors of the proxy.
        pool: proxy pixels to choose among, Q x P; -1 where there is none. The first of a row is there.
        count: how many.

    Returns:
        Flat pixel numbers, Q x count, nearest first; the nearest again where the pool has fewer.
    """
    # Short lists are filled up with -1: never chosen while enough true entries exist.
    missing = pool < 0
    distances = squared_distances(queries, proxy, pool.clamp_min(0)).masked_fill_(missing, torch.inf)
    order = distances.topk(count, 1, largest=False).indices
    chosen = pool.gather(1, order)
    return torch.where(chosen < 0, chosen[:, :1], chosen)


def squared_distances(queries: Tensor, proxy: PatchDescriptors, pool: Tensor, chunk: int = 512) -> Tensor:
    """Return the squared L2 distances between full descriptors.

    Args:
        queries: Q x dimension.
        proxy: descriptors of the proxy.
        pool: proxy pixels to compare each query with, Q x P.
        chunk: queries at a time; bounds the memory.

    Returns:
        Q x P.
    """
    parts = []
    for some, pixels in zip(queries.split(chunk), pool.split(chunk), strict=True):
        points = proxy.gather(pixels.reshape(-1)).view(*pixels.shape, -1)
        distance = torch.cdist(some[:, None], points, compute_mode="donot_use_mm_for_euclid_dist")
        parts.append(distance[:, 0].square())
    return torch.cat(parts)
