"""kill -9 at chosen moments: a process counts what it does with files, and is killed before the n-th of these."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

_EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate")
_counting: list[tuple[str, int, list[int]]] = []


def _notice(event: str, arguments: tuple[object, ...]) -> None:
    """Count the file operations below a folder; end the process at the chosen one."""
    if not _counting or event not in _EVENTS or not arguments or not isinstance(arguments[0], str | bytes | Path):
        return
    folder, last, count = _counting[-1]
    path = os.fsdecode(arguments[0])
    # Reading leaves nothing behind.
    if not path.startswith(folder) or (event == "open" and arguments[1] in ("r", "rb")):
        return
    count[0] += 1
    if count[0] == last:
        os.kill(os.getpid(), signal.SIGKILL)


def killed(work: Callable[[Path], object], folder: Path, moment: int) -> int:
    """Run `work` in a process of its own, killed before a file operation of that number in `folder`.

    Args:
        work: is given the folder.
        folder: where operations are counted.
        moment: number of the operation, from 1; 0 never kills.

    Returns:
        The number of operations that were done if the process ended by itself, minus one if it was killed.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        count = [0]
        sys.addaudithook(_notice)
        _counting.append((str(folder), moment, count))
        work(folder)
        sender.send(count[0])

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    sender.close()
    process.join(300)
    if process.exitcode == -signal.SIGKILL:
        return -1
    assert process.exitcode == 0
    return int(receiver.recv())


def moments(count: int, number: int, seed: int) -> list[int]:
    """Return so many different numbers of operations, drawn by a seed from all of them."""
    drawn = np.random.default_rng(seed).permutation(count)[:number] + 1
    return sorted(int(moment) for moment in drawn)


def contents(folder: Path, *endings: str) -> dict[str, bytes]:
    """Return the bytes of all files below a folder that end so."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name.endswith(endings)
    }
