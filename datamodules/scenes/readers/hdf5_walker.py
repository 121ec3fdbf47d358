"""The process that walks over HDF5 files before ours opens them: with a damaged one the library can loop for ever.

Run as a script; it imports nothing of the house. It reads one request a line from its standard input, a JSON list of
the file, and answers with a point for every object that it has come by and then a line of JSON. What the library can
tell by an error is no concern here: who opens the file meets it again.
"""

from __future__ import annotations

import json
import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import h5py

SECONDS = 3
"""Seconds of work (not of waiting for a disk) on one object after which the library is taken to come to no end."""

MEMORY = 1 << 30
"""Bytes that names, attributes and lists may take."""

_DEEPEST, _LISTED, _COUNTED, _CHUNK = 32, 1 << 16, 1 << 18, 1 << 26


def main(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Args:
        requests: one JSON list a line.
        answers: where the answers go.
    """

    def alive() -> None:
        _limit_work()
        answers.write(b".")
        answers.flush()

    _limit_memory()
    for line in requests:
        head: dict[str, Any] = {}
        try:
            alive()
            with h5py.File(json.loads(line)[0], "r") as file:
                _walk(file, alive)
        except MemoryError:
            head = {"error": "its lists are too large"}
        # Damage is met as an error of nearly any kind.
        except Exception as error:
            head = {"met": type(error).__name__}
        answers.write(json.dumps(head).encode() + b"\n")
        answers.flush()


def _walk(group: Any, alive: Any, depth: int = 0, seen: frozenset[int] = frozenset()) -> None:  # noqa: ANN401
    """Come by all that a reader may look at: attributes, short lists, the index of chunks and the first of them."""
    seen |= {_place(group)}
    _attributes(group)
    for name in group:
        alive()
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        with suppress(KeyError, OSError, RuntimeError, TypeError, ValueError):
            item = group.get(name)
            if isinstance(item, h5py.Dataset):
                _attributes(item)
                _data(item)
            elif isinstance(item, h5py.Group) and depth < _DEEPEST and name != "#refs#" and _place(item) not in seen:
                _walk(item, alive, depth + 1, seen)


def _place(group: Any) -> int:  # noqa: ANN401
    return int(h5py.h5o.get_info(group.id).addr)


def _attributes(item: Any) -> None:  # noqa: ANN401
    for name in item.attrs:
        with suppress(KeyError, OSError, RuntimeError, TypeError, ValueError):
            item.attrs[name]


def _data(item: Any) -> None:  # noqa: ANN401
    if item.external or item.is_virtual or item.shape is None or not item.size:
        return
    _ = item.fillvalue
    if item.chunks and item.size // max(1, math.prod(item.chunks)) < _COUNTED:
        item.id.get_num_chunks()
    if item.size <= _LISTED:
        item[()]
    elif item.chunks and item.id.get_chunk_info(0).size <= _CHUNK:
        item[(0,) * len(item.shape)]


def _limit_work() -> None:
    """Have the system end this process after some seconds of work from now, where it can."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + SECONDS, hard))


def _limit_memory() -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
