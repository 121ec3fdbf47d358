"""Which nearest-neighbour search serves Eq. 10 of HIR-ALIGN, and how good it is on the guide at hand."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.exact_search import FaissExactSearch, TorchExactSearch, gpu_available
from callbacks.transfer.inverted_search import InvertedSearch, Ranking, squared_distances
from hyperalign.errors import MissingPackageError

_LOG = logging.getLogger(__name__)
_CHUNK = 4096
# Principal components, inverted lists visited, shortlist over K_s: from cheap to thorough.
_LADDER = ((48, 8, 2), (48, 12, 3), (96, 12, 3), (96, 24, 4), (192, 32, 4), (192, 64, 8))


@dataclass(frozen=True)
class Retrieval:
    """Settings of the seed search.

    Attributes:
        engine: "auto" takes the exact search up to `exact_limit` pixels and on a GPU, inverted lists above it; "exact"
            and "inverted" force one; "torch" is the exact search without faiss (also what "auto" falls back to when
            faiss is not installed).
        exact_limit: largest number of proxy pixels that "auto" searches exactly on a CPU.
        recall: recall@K_s that the inverted lists must reach on the sample.
        sample: guide pixels on which recall is measured.
    """

    engine: Literal["auto", "exact", "inverted", "torch"] = "auto"
    exact_limit: int = 8192
    recall: float = 0.98
    sample: int = 512

    def index(self, proxy: PatchDescriptors, ranking: Ranking | None = None) -> ProxyIndex:
        """Build the search structure of one proxy, to be used for all its guides.

        Args:
            proxy: descriptors of the proxy RGB.
            ranking: what chooses from the inverted lists' shortlists, `nearest_of` by default.

        Returns:
            The index.

        Raises:
            ModuleNotFoundError: if an engine of faiss is asked for and faiss is not installed.
        """
        return ProxyIndex(proxy, self, ranking)


class ProxyIndex:
    """The descriptors of one proxy, ready to be searched.

    Attributes:
        engine: the engine in use: "exact", "inverted" or "torch".
        recall: what the last `search` measured; 1.0 for exact engines.
    """

    def __init__(self, proxy: PatchDescriptors, settings: Retrieval, ranking: Ranking | None = None) -> None:
        """Choose the engine and build it.

        Args:
            proxy: descriptors of the proxy RGB.
            settings: see `Retrieval`.
            ranking: see `Retrieval.index`.
        """
        self._proxy, self._settings, self._ranking = proxy, settings, ranking
        self.engine = _choose(proxy, settings)
        self.recall = 1.0
        self._exact: FaissExactSearch | TorchExactSearch | None = None
        self._inverted: dict[int, InvertedSearch] = {}
        if self.engine != "inverted":
            self._exact = FaissExactSearch(proxy) if self.engine == "exact" else TorchExactSearch(proxy)

    def search(self, guide: PatchDescriptors, count: int) -> Tensor:
        """Return the seeds of every guide pixel, Eq. 10.

        Args:
            guide: descriptors of the guide RGB.
            count: K_s; fewer are returned where the proxy has fewer pixels.

        Returns:
            Flat proxy pixel numbers, n x count, int64.
        """
        count = min(count, self._proxy.count)
        starts = range(0, guide.count, _CHUNK)
        chunks = (guide.chunk(start, min(start + _CHUNK, guide.count)) for start in starts)
        if self._exact is not None:
            exact = self._exact
            return torch.cat([exact.search(queries, count) for queries in chunks])
        inverted, probes, shortlist = self._tune(guide, count)
        return torch.cat([inverted.search(queries, count, probes, shortlist) for queries in chunks])

    def _components(self, number: int) -> InvertedSearch:
        """The inverted lists over that many components, built when first needed."""
        if number not in self._inverted:
            self._inverted[number] = InvertedSearch(self._proxy, number, self._ranking)
        return self._inverted[number]

    def _tune(self, guide: PatchDescriptors, count: int) -> tuple[InvertedSearch, int, int]:
        """Cheapest rung of the ladder that reaches the recall asked for on a sample of the guide."""
        stride = max(1, guide.count // self._settings.sample)
        queries = guide.gather(torch.arange(stride // 2, guide.count, stride, device=guide.device))
        truth = TorchExactSearch(self._proxy).search(queries, count)
        furthest = squared_distances(queries, self._proxy, truth).amax(1)
        for number, probes, factor in _LADDER:
            number = min(number, self._proxy.dimension)
            inverted, shortlist = self._components(number), min(factor * count, self._proxy.count)
            found = inverted.search(queries, count, probes, shortlist)
            self.recall = recall(squared_distances(queries, self._proxy, found), furthest)
            if self.recall >= self._settings.recall:
                break
        _LOG.info(
            "retrieval: %d components, %d of %d lists, shortlist %d, recall@%d %.4f on %d guide pixels",
            number, probes, inverted.lists, shortlist, count, self.recall, queries.shape[0],
        )  # fmt: skip
        return inverted, probes, shortlist


def recall(distances: Tensor, furthest: Tensor) -> float:
    """Return the share of found neighbours that are no further than the true last one.

    Comparing distances, to 0.1 %, rather than names makes ties count as found: flat regions hold many equal patches.

    Args:
        distances: squared distances of the found neighbours, Q x K.
        furthest: squared distance of each query's true K-th neighbour, Q.

    Returns:
        Recall in [0, 1].
    """
    return float((distances <= furthest[:, None] * 1.002 + 1e-9).double().mean())


def _choose(proxy: PatchDescriptors, settings: Retrieval) -> str:
    if settings.engine == "torch":
        return "torch"
    if find_spec("faiss") is None:
        if settings.engine != "auto":
            raise MissingPackageError(
                f"Retrieval engine '{settings.engine}' needs faiss, which is not installed: "
                "install faiss-cpu or faiss-gpu, or set engine to 'torch'."
            )
        if proxy.count > settings.exact_limit and proxy.device.type == "cpu":
            _LOG.warning("faiss is not installed: searching %d pixels exactly with torch is slow", proxy.count)
        return "torch"
    if settings.engine != "auto":
        return settings.engine
    if proxy.device.type == "cuda":
        import faiss

        return "exact" if gpu_available(faiss) else "torch"
    return "exact" if proxy.count <= settings.exact_limit else "inverted"
