"""Runs the parts of the check, each in a process of its own, so that what one of them breaks is not the others'.

A kernel that reads beyond its memory ends CUDA for the whole process, and a part that hangs can only be cut from
outside. The processes are forked, which saves each of them the seconds of importing torch; nothing here may start CUDA
before, since it does not survive a fork.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from experiments.commands.gpu_check.record import Record, Recorder, sentence
from experiments.commands.gpu_check.task import Task, check_of

Method = Literal["fork", "spawn"]
"""`spawn` imports everything anew, for machines on which an import has started CUDA already."""

GRACE = 10.0
"""Seconds that a process is given to end by itself."""

_TAIL = 12


def prepare_environment() -> None:
    """Set what has to be set before torch is imported: how CUDA is counted, and that its products can be repeated."""
    # Counting the cards by CUDA itself would start it, and no forked process could use it.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def import_ahead() -> None:
    """Load what all parts need, once for all of them."""
    for package in ("torch", "lightning", "lightning_modules", "datamodules", "callbacks"):
        importlib.import_module(package)


def in_a_process(work: Callable[..., None], *arguments: object, budget: float, method: Method = "fork") -> str:
    """Run a function in a process of its own.

    Args:
        work: the function.
        *arguments: what it is given.
        budget: seconds after which it is ended.
        method: how the process starts.

    Returns:
        How it ended: `finished`, `cut` or `ended with code N`.
    """
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=_leading, args=(work, *arguments))
    process.start()
    process.join(budget)
    if process.is_alive():
        _end(process)
        return "cut"
    return "finished" if process.exitcode == 0 else f"ended with code {process.exitcode}"


def _leading(work: Callable[..., None], *arguments: object) -> None:
    """Lead a group of processes, so that what this one starts ends with it."""
    os.setsid()
    work(*arguments)


def _end(process: Any) -> None:  # noqa: ANN401 - the class depends on the platform
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join(GRACE)


def run_part(part: str, device: str, quick: bool, folder: Path, budget: float, method: Method = "fork") -> Record:
    """Run one part and return its record, whatever happens in it.

    Args:
        part: its name.
        device: `cuda` or `cpu`.
        quick: whether sizes are as small as a test needs.
        folder: of the whole check.
        budget: seconds after which it is cut.
        method: how its process starts.
    """
    path = folder / "parts" / f"{part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    begin = time.perf_counter()
    ended = in_a_process(perform, part, device, quick, folder, path, budget=budget, method=method)
    record = Record.read(path) if path.is_file() else Record(part)
    record.seconds = time.perf_counter() - begin
    if ended == "cut":
        record.state, record.error = "cut", f"not finished within its {budget:.0f} seconds"
    elif record.state == "running":
        record.state, record.error = "ended", f"the process {ended}"
    return record


def perform(part: str, device: str, quick: bool, folder: Path, path: Path) -> None:
    """Look at one part and write down what ends it."""
    note = Recorder(part, path)
    try:
        import torch

        torch.manual_seed(0)
        if device == "cpu":
            torch.set_num_threads(max(1, min(torch.get_num_threads(), os.cpu_count() or 1)))
        with output_in(folder / "parts" / f"{part}.log"):
            check_of(part).check(Task(torch.device(device), quick, folder / "parts" / part, note))
    except Exception as error:
        note.finish("failed", sentence(error), traceback.format_exc().splitlines()[-_TAIL:])
        return
    note.finish("finished")


@contextmanager
def output_in(path: Path) -> Iterator[None]:
    """Put what a block writes to stdout and stderr, by itself or from C, into a file."""
    before = [os.dup(number) for number in (1, 2)]
    target = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
    try:
        _point_at(target, target)
        yield
    finally:
        _point_at(*before)
        for number in (target, *before):
            os.close(number)


def _point_at(output: int, errors: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(output, 1)
    os.dup2(errors, 2)
