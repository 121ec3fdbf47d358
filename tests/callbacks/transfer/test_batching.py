"""How many guides a batch takes: by device, memory and size."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from callbacks.transfer.batching import MatchedGuide, batches, estimation_bytes, guides_that_fit
from callbacks.transfer.estimation import EstimationSettings, TransportEstimation
from callbacks.transfer.losses import LossWeights

GIB = 2**30


def storages(part: object) -> Iterator[tuple[int, int]]:
    """Address and bytes of every tensor's memory inside an object."""
    if isinstance(part, Tensor):
        yield part.untyped_storage().data_ptr(), part.untyped_storage().nbytes()
    elif isinstance(part, list | tuple):
        for item in part:
            yield from storages(item)
    elif hasattr(part, "__dict__"):
        yield from storages(list(vars(part).values()))


@pytest.mark.parametrize(("candidates", "kernel_size"), [(16, 7), (8, 5), (32, 3)])
def test_the_estimate_of_memory_covers_what_is_held(candidates: int, kernel_size: int) -> None:
    side = 64
    guide = torch.rand(3, 1, side, side)
    estimation = TransportEstimation(
        guide, guide, torch.zeros(candidates, 1, side, side, dtype=torch.int64),
        torch.rand(candidates, 1, side, side), LossWeights(), EstimationSettings(kernel_size), side * side,
    )  # fmt: skip
    estimation.step()
    held = sum(dict(storages([estimation, estimation.operators()])).values())
    estimate = estimation_bytes(side * side, candidates, kernel_size)
    assert held < estimate < 2.5 * held


def test_the_estimate_of_memory_is_so_many_bytes_a_pixel() -> None:
    # Logits with moments and weights, candidate tables, operators, the scratch buffer, images.
    assert estimation_bytes(1, 16, 7) == 16 * 65 + 44 * 16 + (4 * 65 + 8 * 16) + 4 * 49 + 480
    assert estimation_bytes(10, 32, 3) == 10 * (16 * 41 + 44 * 32 + (4 * 41 + 8 * 32) + 4 * 32 + 480)


def gpu_guide(height: int, width: int) -> Tensor:
    """What `guides_that_fit` looks at in a guide on a GPU."""
    device = torch.device("cuda", 0)
    return cast("Tensor", type("Guide", (list,), {"device": device})([torch.empty(height, width)]))


@pytest.mark.parametrize(
    ("free", "side", "expected"),
    [(130 * GIB, 512, 8), (130 * GIB, 2048, 1), (130 * GIB, 128, 128), (8 * GIB, 512, 5), (GIB, 512, 1)],
)
def test_a_gpu_takes_what_half_of_its_free_memory_holds(
    monkeypatch: pytest.MonkeyPatch, free: int, side: int, expected: int
) -> None:
    # A quarter of the free memory is what torch keeps of tensors that are gone.
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free * 3 // 4, 2 * free))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: free // 4 + 4 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 4 * GIB)
    assert guides_that_fit(gpu_guide(side, side), 16, 7) == expected


def test_a_cpu_takes_one_guide_at_a_time() -> None:
    assert guides_that_fit(torch.zeros(3, 16, 16), 16, 7) == 1


def test_batches_are_neighbours_of_one_size() -> None:
    guides: Any = [SimpleNamespace(guide_rgb=torch.zeros(3, side, 8)) for side in (8, 8, 8, 9, 8, 8)]
    assert [len(batch) for batch in batches(iter(cast("list[MatchedGuide]", guides)), 16, 7, 2)] == [2, 1, 1, 2]
    assert [len(batch) for batch in batches(iter(guides), 16, 7, None)] == [1] * 6
    assert list(batches(iter([]), 16, 7, None)) == []
