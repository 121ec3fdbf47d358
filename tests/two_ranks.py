"""Two real processes with a gloo group, forked so that they start at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist

Work = Callable[[Path], str]
Worker = Callable[[int, Path, Work], None]


def worker(rank: int, folder: Path, work: Work) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=2)
    try:
        (folder / f"answer{rank}").write_text(work(folder))
    finally:
        dist.destroy_process_group()


def exit_codes(folder: Path, work: Work, of: Worker = worker, seconds: float = 60) -> list[int | None]:
    """Run `of(rank, folder, work)` in two processes, killed after so many seconds; return how they ended."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=of, args=(rank, folder, work)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds)
    for process in processes:
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def on_two_ranks(folder: Path, work: Work) -> list[str]:
    """Run `work` in two gloo processes and return what each answers."""
    assert exit_codes(folder, work) == [0, 0]
    return [(folder / f"answer{rank}").read_text() for rank in range(2)]
