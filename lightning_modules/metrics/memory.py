"""The most memory that a piece of work took, as the operating system counts it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["PeakMemory"]

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Context in which the peak of resident memory is watched; only on Linux, which alone can forget an older peak.

    Attributes:
        gibibytes: what was resident at most over what was resident at the start, in GiB; None while the block runs,
            and where the system does not tell.
    """

    def __init__(self) -> None:
        self.gibibytes: float | None = None
        self._before: float | None = None

    def __enter__(self) -> Self:
        """Forget the older peak."""
        try:
            RESET.write_text("5", encoding="ascii")
            self._before = _resident("VmRSS")
        except (OSError, StopIteration):
            self._before = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the peak."""
        if self._before is not None:
            self.gibibytes = max(0.0, _resident("VmHWM") - self._before)


def _resident(entry: str) -> float:
    """Return an entry of the process's status in GiB."""
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")) / 2**20
