"""Where a number comes from: commit, versions, machine; and what a run took of it."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from experiments.configuration.files import PACKAGED

PACKAGES = ("hyperalign", "torch", "lightning", "torchmetrics", "numpy", "scipy")


@dataclass
class Taken:
    """What a run took: seconds on the clock and of the CPU, and the peak memory in GiB."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: float = 0.0
    device_memory: float = 0.0


def provenance() -> dict[str, Any]:
    """Return commit, versions, machine and time, JSON-able."""
    return {
        "commit": commit(),
        "versions": {"python": platform.python_version(), **versions(PACKAGES)},
        "machine": _machine(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@cache
def commit(folder: Path = PACKAGED) -> str:
    """Return the commit of the checkout that holds `folder`, with `+changes` where files differ from it, else ''."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+changes" if changed else "")


@contextmanager
def taken() -> Iterator[Taken]:
    """Measure what the block takes; its memory is the peak of this process, GPU memory that of its devices."""
    from lightning_modules.metrics.memory import PeakMemory

    found, memory = Taken(), PeakMemory()
    begin, cpu = time.perf_counter(), time.process_time()
    try:
        with memory:
            yield found
    finally:
        found.seconds, found.cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
        found.memory, found.device_memory = memory.peak, _device_peak()


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603 - own words
    return found.stdout.strip()


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed, by name."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _machine() -> dict[str, Any]:
    import torch

    found: dict[str, Any] = {"system": platform.system(), "kind": platform.machine(), "cores": os.cpu_count() or 0}
    found["threads"] = torch.get_num_threads()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        found["processor"] = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    if torch.cuda.is_available():
        found["device"] = torch.cuda.get_device_name()
    return found


def _device_peak() -> float:
    import torch

    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
