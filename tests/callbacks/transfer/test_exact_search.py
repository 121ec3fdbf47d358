"""Exact nearest neighbours against brute force."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from callbacks.transfer import exact_search
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.exact_search import TorchExactSearch
from tests.callbacks.transfer.samples import brute_force, smooth_cube


def test_torch_search_merges_its_blocks(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, guide = images
    queries = guide.chunk(0, 200)
    whole = TorchExactSearch(proxy).search(queries, 16)
    assert torch.equal(TorchExactSearch(proxy, block=700).search(queries, 16), whole)


def test_squared_distances_come_without_the_querys_own_square(
    images: tuple[PatchDescriptors, PatchDescriptors],
) -> None:
    proxy, guide = images
    queries = guide.chunk(0, 40)
    indices, values = TorchExactSearch(proxy, block=900).nearest(queries, 5)
    distances = (queries[:, None].double() - proxy.gather(indices.flatten()).view(40, 5, -1).double()).square().sum(2)
    torch.testing.assert_close(
        values.double() + queries.double().square().sum(1)[:, None], distances, atol=1e-4, rtol=0
    )
    assert bool((distances.diff(dim=1) > -1e-4).all()), "nearest first"


def test_more_neighbours_than_pixels_are_all_pixels() -> None:
    image = PatchDescriptors(torch.rand(3, 3, 2, generator=torch.Generator().manual_seed(0)))
    found = TorchExactSearch(image, block=4).search(image.chunk(0, 6), 9)
    assert found.shape == (6, 6)
    assert found[:, 0].tolist() == list(range(6)), "every pixel is its own nearest"
    assert found.sort(1).values.tolist() == [list(range(6))] * 6


def test_faiss_adds_every_chunk_and_agrees_with_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(exact_search, "_CHUNK", 7)
    proxy, guide = (PatchDescriptors(smooth_cube(3, 6, 5, seed)) for seed in (1, 2))
    found = exact_search.FaissExactSearch(proxy).search(guide.chunk(0, guide.count), 3)
    assert found.dtype == torch.int64
    assert torch.equal(found, brute_force(proxy, guide, 3))


def test_an_index_moves_to_the_gpu_where_its_proxy_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[int] = []

    def index_cpu_to_gpu(resources: object, device: int, index: object) -> object:
        moved.append(device)
        return index

    fake = SimpleNamespace(
        IndexFlatL2=lambda dimension: None, StandardGpuResources=object,
        get_num_gpus=lambda: 3, index_cpu_to_gpu=index_cpu_to_gpu,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "faiss", fake)
    for device in ("cpu", "cuda", "cuda:2"):
        proxy: Any = SimpleNamespace(dimension=300, count=0, device=torch.device(device))
        exact_search.FaissExactSearch(proxy)
    assert moved == [0, 2]


@pytest.mark.parametrize(("names", "gpus", "available"), [((), 1, False), (("StandardGpuResources",), 0, False),
                                                         (("StandardGpuResources",), 1, True)])  # fmt: skip
def test_a_gpu_counts_only_with_its_resources(names: tuple[str, ...], gpus: int, available: bool) -> None:
    module = SimpleNamespace(get_num_gpus=lambda: gpus, **dict.fromkeys(names))
    assert exact_search.gpu_available(module) is available
