"""Two real processes with a gloo group, forked so that they start at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist


def worker(rank: int, folder: Path, work: Callable[[Path], str]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=2)
    try:
        (folder / f"answer{rank}").write_text(work(folder))
    finally:
        dist.destroy_process_group()


def on_two_ranks(folder: Path, work: Callable[[Path], str]) -> list[str]:
    """Run ``work`` in two gloo processes and return what each answers."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=worker, args=(rank, folder, work)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    for process in processes:
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return [(folder / f"answer{rank}").read_text() for rank in range(2)]
