"""SIGTERM for commands as a whole: they end as on an error, with the status that schedulers know."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TERMINATED", "ends_on_sigterm"]

TERMINATED = 128 + signal.SIGTERM
"""Exit status of a command that SIGTERM ended, as shells and schedulers know it."""


@contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that what it holds is put away; status 143."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def terminate(*_: object) -> None:
        raise SystemExit(TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
