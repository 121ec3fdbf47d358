"""The seconds and the memory that a piece of work takes on the device where it runs: the one place that counts them."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

import torch

from lightning_modules.metrics.memory import PeakMemory

__all__ = ["Clock", "DeviceCost", "fewest_seconds", "on_accelerator", "seconds_now"]

Clock = Literal["processor", "wall"]
"""What is counted on a CPU: seconds of the processor, which other work on the machine changes least, all threads
together, or those of the clock on the wall, as an accelerator's are."""


def on_accelerator(device: torch.device) -> bool:
    """Return whether work on a device goes on while Python does, in a memory of its own."""
    return device.type not in ("cpu", "meta")


def _which(device: torch.device) -> tuple[torch.device, ...]:
    """Return what names one of several accelerators to those that there are several of."""
    return (device,) if device.type == "cuda" else ()


def seconds_now(device: torch.device, clock: Clock = "processor") -> float:
    """Wait until a device has done everything, and return the time; only differences mean something."""
    if on_accelerator(device):
        torch.get_device_module(device).synchronize(*_which(device))
        return time.perf_counter()
    return time.process_time() if clock == "processor" else time.perf_counter()


def fewest_seconds(
    work: Callable[[], object],
    device: torch.device,
    rounds: int = 3,
    enough: float = float("inf"),
    clock: Clock = "processor",
) -> float:
    """Return the fewest seconds of some runs.

    Args:
        work: the piece of work.
        device: where it runs.
        rounds: runs at most.
        enough: seconds in all after which no further run begins.
        clock: what is counted on a CPU.
    """
    best, total = float("inf"), 0.0
    for _ in range(rounds):
        begin = seconds_now(device, clock)
        work()
        taken = seconds_now(device, clock) - begin
        best, total = min(best, taken), total + taken
        if total > enough:
            break
    return best


class DeviceCost:
    """Context that measures a piece of work on one device.

    On a CPU memory is the peak of what became resident. On an accelerator seconds are those of the wall, from when the
    device had finished what came before until it has finished the block, and memory is the most that PyTorch's
    allocator had given out, weights and inputs included.

    Args:
        device: where the work runs.
        clock: what is counted on a CPU.

    Attributes:
        seconds: 0 while the block runs.
        gibibytes: None while the block runs, and where the system or the device does not tell.
    """

    def __init__(self, device: torch.device | str, clock: Clock = "processor") -> None:
        self.device, self.clock = torch.device(device), clock
        self.seconds = 0.0
        self.gibibytes: float | None = None
        self._resident = PeakMemory()
        self._begin = 0.0

    def __enter__(self) -> Self:
        """Wait for what came before, and forget older peaks."""
        if not on_accelerator(self.device):
            self._resident.__enter__()
        self._begin = seconds_now(self.device, self.clock)
        if on_accelerator(self.device) and hasattr(self._runtime, "reset_peak_memory_stats"):
            self._runtime.reset_peak_memory_stats(*_which(self.device))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the block's own work, and keep seconds and peak."""
        self.seconds = seconds_now(self.device, self.clock) - self._begin
        if not on_accelerator(self.device):
            self._resident.__exit__(kind, error, trace)
            self.gibibytes = self._resident.gibibytes
        elif hasattr(self._runtime, "max_memory_allocated"):
            self.gibibytes = self._runtime.max_memory_allocated(*_which(self.device)) / 2**30

    @property
    def _runtime(self) -> Any:  # noqa: ANN401 - a module
        """What waits for the device and knows its memory: `torch.cuda`, ..."""
        return torch.get_device_module(self.device)
