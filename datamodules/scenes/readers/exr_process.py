"""The caller's side of the process that decodes OpenEXR files: one a process, started with the first file."""

from __future__ import annotations

import atexit
import importlib.util
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
from hyperalign.errors import FileAccessError, InputError, MissingPackageError

PATIENCE_SECONDS = 60.0
"""Seconds without a byte after which a file is taken for one that the library cannot come to an end with."""

_DECODER = Path(__file__).with_name("exr_decoder.py")


class DamagedExrError(InputError):
    """The library refused a file, ended with it, or did not come to an end."""


class _Decoder:
    """A running process of this process: a fork has another one."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        # The warnings of a damaged file are not the caller's.
        self.process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", str(_DECODER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, request: Sequence[Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request and wait for the answer.

        Raises:
            EOFError: if the process ends, or is silent for too long.
        """
        assert self.process.stdin is not None  # noqa: S101 - both are pipes
        self.process.stdin.write(json.dumps(list(request)).encode() + b"\n")
        self.process.stdin.flush()
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._read(1)
        head: dict[str, Any] = json.loads(line)
        return head, [self._read(size) for size in head["bytes"]]

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
_running: list[_Decoder] = []


def end_decoder() -> None:
    """End the decoder of this process, if it runs."""
    while _running:
        decoder = _running.pop()
        if decoder.owner == os.getpid():
            decoder.end()


atexit.register(end_decoder)


def ask_decoder(
    path: Path, channels: Sequence[str] = (), first: int = 0, last: int = 0
) -> tuple[dict[str, Any], list[bytes]]:
    """Return what the library says of a file, decoded in a process of its own.

    Args:
        path: the file.
        channels: the channels to decode; none asks for the header.
        first: first row in the file's own count.
        last: last row.

    Returns:
        The header, and the values of every channel.

    Raises:
        ImportError: one sentence, if OpenEXR is not installed.
        OSError: one sentence, if the file or the process cannot be opened.
        DamagedExrError: if the library refuses the file, or ends or hangs with it.
    """
    if importlib.util.find_spec("OpenEXR") is None:
        raise MissingPackageError(
            "Reading .exr files needs the package OpenEXR: install it with `pip install OpenEXR`."
        )
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise_true_cause(path, error)
        raise
    with _lock:
        if not _running or _running[0].owner != os.getpid() or _running[0].process.poll() is not None:
            _running[:] = [_started(path)]
        decoder = _running[0]
        try:
            head, planes = decoder.ask((str(path.absolute()), list(channels), first, last))
        except (EOFError, OSError, ValueError) as error:
            decoder.end()
            _running.clear()
            raise DamagedExrError(str(error)) from error
    if "error" in head:
        raise DamagedExrError(str(head["error"]))
    return head, planes


def _started(path: Path) -> _Decoder:
    try:
        return _Decoder()
    except OSError as error:
        raise_true_cause(path, error)
        raise FileAccessError(
            f"The process that decodes {path} cannot be started ({error.strerror}): try again."
        ) from error
