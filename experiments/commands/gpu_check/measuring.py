"""Seconds, memory and differences on a device that works on while Python waits for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


def synchronised(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """Return the fewest seconds of some runs."""
    best = float("inf")
    for _ in range(repeats):
        synchronised(device)
        begin = time.perf_counter()
        work()
        synchronised(device)
        best = min(best, time.perf_counter() - begin)
    return best


@dataclass
class Spent:
    """What a block took.

    Attributes:
        seconds: of it.
        gibibytes: most memory of the device that torch held in it; None on a CPU.
    """

    seconds: float = 0.0
    gibibytes: float | None = None


@contextmanager
def spent(device: torch.device) -> Iterator[Spent]:
    """Measure a block."""
    found = Spent()
    synchronised(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    begin = time.perf_counter()
    yield found
    synchronised(device)
    found.seconds = time.perf_counter() - begin
    if device.type == "cuda":
        found.gibibytes = torch.cuda.max_memory_allocated(device) / 2**30


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference over the largest value of what is expected; both may lie on any device."""
    found, expected = found.detach().double().cpu(), expected.detach().double().cpu()
    scale = float(expected.abs().max())
    return float((found - expected).abs().max()) / (scale if scale > 0 else 1.0)


def exact_products() -> None:
    """Keep products of float32 in float32, so that a difference from a CPU is one of order and not of digits."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
