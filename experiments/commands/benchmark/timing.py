"""Seconds of a piece of work: of the processor on a CPU, which other programs change least, of the clock elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def best_seconds(work: Callable[[], object], device: torch.device, rounds: int = 2, enough: float = 2.0) -> float:
    """Return the fewest seconds of some runs.

    Args:
        work: the piece of work.
        device: where it runs; on a CPU the seconds of all threads together are counted.
        rounds: runs at most.
        enough: seconds in all after which no further run begins.
    """
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    best, total = float("inf"), 0.0
    for _ in range(rounds):
        begin = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken = clock() - begin
        best, total = min(best, taken), total + taken
        if total > enough:
            break
    return best
