"""Exact nearest neighbours among all descriptors of the proxy (HIR-ALIGN Eq. 10): faiss on CPU or GPU, or torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors

_CHUNK = 4096


def gpu_available(faiss: Any) -> bool:  # noqa: ANN401 - faiss has no stubs
    """Tell whether this faiss can search on a GPU (the CPU build has the functions' names but not their resources)."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


class FaissExactSearch:
    """A flat faiss index over the full descriptors, on the GPU where the proxy lies there and faiss has one."""

    def __init__(self, proxy: PatchDescriptors) -> None:
        """Add the proxy's descriptors, chunk by chunk.

        Args:
            proxy: descriptors of the proxy RGB.
        """
        import faiss

        self._faiss = faiss
        self._index: Any = faiss.IndexFlatL2(proxy.dimension)
        if proxy.device.type == "cuda" and gpu_available(faiss):
            self._resources = faiss.StandardGpuResources()
            self._index = faiss.index_cpu_to_gpu(self._resources, proxy.device.index or 0, self._index)
        for start in range(0, proxy.count, _CHUNK):
            self._index.add(proxy.chunk(start, min(start + _CHUNK, proxy.count)).float().cpu().numpy())

    def search(self, queries: Tensor, count: int) -> Tensor:
        """Return the nearest proxy pixels of each query, nearest first.

        Args:
            queries: Q x dimension.
            count: how many, at most the number of proxy pixels.

        Returns:
            Flat pixel numbers, Q x count, int64, on the queries' device.
        """
        found = self._index.search(queries.float().cpu().numpy(), count)[1]
        return torch.from_numpy(found).to(queries.device)


class TorchExactSearch:
    """The same without faiss: blocks of squared distances by matrix product, merged block by block."""

    def __init__(self, proxy: PatchDescriptors, block: int = 65536) -> None:
        """Keep a reference to the proxy.

        Args:
            proxy: descriptors of the proxy RGB; those of a block are formed when needed.
            block: proxy pixels compared at a time.
        """
        self._proxy = proxy
        self._block = block

    def search(self, queries: Tensor, count: int) -> Tensor:
        """Search as `FaissExactSearch.search` does, in the dtype of the queries."""
        indices, _ = self.nearest(queries, count)
        return indices

    def nearest(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return the nearest proxy pixels and their squared distances less the query's own square, Q x count each."""
        best: tuple[Tensor, Tensor] | None = None
        for start in range(0, self._proxy.count, self._block):
            points = self._proxy.chunk(start, min(start + self._block, self._proxy.count))
            squares = points.square().sum(1)
            scores = torch.addmm(squares[None], queries, points.t(), alpha=-2)
            values, indices = scores.topk(min(count, points.shape[0]), 1, largest=False)
            indices += start
            if best is not None:
                values, indices = torch.cat((best[1], values), 1), torch.cat((best[0], indices), 1)
                values, order = values.topk(min(count, values.shape[1]), 1, largest=False)
                indices = indices.gather(1, order)
            best = (indices, values)
        assert best is not None  # noqa: S101 - an image has at least one pixel
        return best
