"""The seconds and the memory that a piece of work takes on the device where it runs."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import torch

from lightning_modules.metrics.memory import PeakMemory

__all__ = ["DeviceCost"]


class DeviceCost:
    """Context that measures a piece of work on one device.

    On a CPU seconds are those of the processor, which other work on the machine changes least, and memory is the peak
    of what became resident. On an accelerator seconds are those of the clock, from when the device had finished what
    came before until it has finished the block, and memory is the most that PyTorch's allocator had given out, weights
    and inputs included.

    Args:
        device: where the work runs.

    Attributes:
        seconds: 0 while the block runs.
        gibibytes: None while the block runs, and where the system or the device does not tell.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.seconds = 0.0
        self.gibibytes: float | None = None
        self._resident = PeakMemory()
        self._begin = 0.0

    @property
    def on_accelerator(self) -> bool:
        """Whether work on the device goes on while Python does, in a memory of its own."""
        return self.device.type not in ("cpu", "meta")

    def __enter__(self) -> Self:
        """Wait for what came before, and forget older peaks."""
        if self.on_accelerator:
            runtime = self._runtime
            runtime.synchronize()
            if hasattr(runtime, "reset_peak_memory_stats"):
                runtime.reset_peak_memory_stats()
            self._begin = time.perf_counter()
        else:
            self._resident.__enter__()
            self._begin = time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the block's own work, and keep seconds and peak."""
        if self.on_accelerator:
            runtime = self._runtime
            runtime.synchronize()
            self.seconds = time.perf_counter() - self._begin
            if hasattr(runtime, "max_memory_allocated"):
                self.gibibytes = runtime.max_memory_allocated() / 2**30
        else:
            self.seconds = time.process_time() - self._begin
            self._resident.__exit__(kind, error, trace)
            self.gibibytes = self._resident.gibibytes

    @property
    def _runtime(self) -> Any:  # noqa: ANN401 - a module
        """What waits for the device and knows its memory: `torch.cuda`, ..."""
        return torch.get_device_module(self.device)
