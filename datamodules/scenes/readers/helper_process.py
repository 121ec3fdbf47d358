"""Processes that meet a damaged file in our place: libraries of C can end, or never come to an end, with one.

Each is a script that answers requests, one a line; a process has one of each, started with the first file that needs it
and kept, and started again only where a file ended it.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.scenes.facts.causes import raise_true_cause
from hyperalign.errors import FileAccessError

PATIENCE_SECONDS = 60.0
"""Seconds without a byte after which a file is taken for one that a library cannot come to an end with."""


class HelperEndedError(Exception):
    """The helper ended with a file, or was silent for too long."""


class _Helper:
    """A running helper of this process: a fork has another one."""

    def __init__(self, script: Path) -> None:
        self.owner = os.getpid()
        # The warnings of a damaged file are not the caller's.
        self.process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, request: Sequence[Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request and wait for the answer; points before it are signs of life.

        Raises:
            EOFError: if the process ends, or is silent for too long.
        """
        assert self.process.stdin is not None  # noqa: S101 - both are pipes
        self.process.stdin.write(json.dumps(list(request)).encode() + b"\n")
        self.process.stdin.flush()
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._read(1)
        head: dict[str, Any] = json.loads(line.lstrip(b"."))
        return head, [self._read(size) for size in head.get("bytes", ())]

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue

    def _read(self, size: int) -> bytes:
        stream = self.process.stdout
        assert stream is not None  # noqa: S101 - it is a pipe
        descriptor = stream.fileno()
        parts: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while size > 0:
                if not selector.select(PATIENCE_SECONDS):
                    raise EOFError("silent")
                part = os.read(descriptor, min(size, 1 << 20))
                if not part:
                    raise EOFError("ended")
                parts.append(part)
                size -= len(part)
        return b"".join(parts)


_lock = threading.Lock()
_running: dict[Path, _Helper] = {}


def end_helpers() -> None:
    """End the helpers of this process."""
    while _running:
        _, helper = _running.popitem()
        if helper.owner == os.getpid():
            helper.end()


atexit.register(end_helpers)


def ask_helper(script: Path, path: Path, request: Sequence[Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Return what a helper says of a file.

    Args:
        script: what runs in the helper.
        path: the file, for the sentence.
        request: what is sent, as a line of JSON.

    Returns:
        The answer, and the values that follow it.

    Raises:
        HelperEndedError: if the helper ends or hangs with the file.
        OSError: one sentence, if it cannot be started.
    """
    with _lock:
        helper = _running.get(script)
        if helper is None or helper.owner != os.getpid() or helper.process.poll() is not None:
            helper = _running[script] = _started(script, path)
        try:
            return helper.ask(request)
        except (EOFError, OSError, ValueError) as error:
            helper.end()
            del _running[script]
            raise HelperEndedError(str(error)) from error


def _started(script: Path, path: Path) -> _Helper:
    try:
        return _Helper(script)
    except OSError as error:
        raise_true_cause(path, error)
        raise FileAccessError(
            f"The process that decodes {path} cannot be started ({error.strerror}): try again."
        ) from error
