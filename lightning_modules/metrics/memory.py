"""The most memory that a piece of work took, as the operating system counts it."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

__all__ = ["PeakMemory", "give_back_freed"]

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def give_back_freed() -> None:
    """Return to the system what was freed, where the C library keeps it.

    Cubes of some 30 MiB are cut out of one heap, which falls to pieces: after a scene of 512 x 512 x 120 values up to a
    GiB of it is resident that nothing uses. Only glibc has this call; elsewhere nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class PeakMemory:
    """Context in which the peak of the process's resident memory is watched; blocks may lie in each other.

    Attributes:
        peak: the most that was resident, in GiB; outside of Linux, which alone can forget an older peak, the most since
            the process began. 0 while the block runs.
        gibibytes: that less what was resident at the start; None while the block runs, and outside of Linux.
    """

    _around: ClassVar[list[PeakMemory]] = []

    def __init__(self) -> None:
        self.peak = 0.0
        self.gibibytes: float | None = None
        self._before: float | None = None
        self._seen = 0.0

    def __enter__(self) -> Self:
        """Forget the older peak, but for the blocks around."""
        for outer in self._around:
            outer._seen = max(outer._seen, _highest())
        # What earlier work let go would be used again without being counted.
        give_back_freed()
        with suppress(OSError, StopIteration):
            RESET.write_text("5", encoding="ascii")
            self._before = _resident("VmRSS")
        self._around.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the peak."""
        self._around.remove(self)
        self.peak = max(self._seen, _highest())
        if self._before is not None:
            self.gibibytes = max(0.0, self.peak - self._before)


def _highest() -> float:
    """Return the peak since it was last forgotten in GiB."""
    with suppress(OSError, StopIteration):
        return _resident("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _resident(entry: str) -> float:
    """Return an entry of the process's status in GiB."""
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")) / 2**20
