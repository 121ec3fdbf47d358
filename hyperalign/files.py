"""Atomic files: written beside under a temporary name, hashed on the way, renamed into place when complete.

The only place in the house that renames a file, so that whatever a killed process, a full disk or a second run does, a
reader finds the old file or the new one and never half of either.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from uuid import uuid4

from hyperalign.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

STALE_SECONDS = 24 * 3600.0
"""Age after which the temporary file of another machine's process is taken for abandoned."""

Write = Callable[[BinaryIO], object]
"""What writes a file's content."""


class _HashingWriter:
    """A write-only file that counts and hashes what passes through it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.digest = file, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def temporary_path(folder: Path, suffix: str = ".tmp") -> Path:
    """Return a fresh hidden name in `folder` that tells which process of which machine writes it.

    Args:
        folder: where the finished file will stay, so that renaming it never crosses file systems.
        suffix: the end of the name; libraries that choose a format by the ending are given theirs before `.tmp`.
    """
    return folder / f".{socket.gethostname()}+{os.getpid()}+{uuid4().hex[:8]}{suffix}"


def write_beside(folder: Path, write: Write, sync: bool = True) -> tuple[Path, int, str]:
    """Write a temporary file and return its path, size and sha256; on an error remove it.

    Args:
        folder: where the file will stay, so that renaming it never crosses file systems.
        write: writes the content.
        sync: whether to wait until the content is on the disk: a full disk may only show then, and after the rename
            it would be too late.
    """
    temporary = temporary_path(folder)
    try:
        with temporary.open("xb") as file:
            writer = _HashingWriter(file)
            write(cast("BinaryIO", writer))
            _flush(file, sync)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary, writer.size, writer.digest.hexdigest()


@contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its name if all goes well and vanishes otherwise.

    Folders on the way are made.

    Args:
        path: the file to write.
        sync: whether to wait until the content is on the disk before the rename.

    Raises:
        OSError: if the folder is unwritable or full; nothing partial is left.
    """
    with replacing_path(path) as temporary, temporary.open("xb") as file:
        yield file
        _flush(file, sync)


@contextmanager
def replacing_path(path: Path) -> Iterator[Path]:
    """Give the name of a temporary file or folder beside `path`, for libraries that open files themselves.

    The name ends as `path` does, so that a library that goes by the ending writes the right format. What the block
    wrote is renamed to `path`, or removed where the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path.parent, f".tmp{path.suffix}")
    try:
        yield temporary
    except BaseException:
        _remove(temporary)
        raise
    put_in_place(temporary, path)


def write_text(path: Path, text: str, sync: bool = False) -> None:
    """Write a text file (UTF-8) beside its place and rename it; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, _, _ = write_beside(path.parent, lambda file: file.write(text.encode()), sync)
    put_in_place(temporary, path)


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a finished temporary file or folder to `path`, in place of what is there; on an error remove it.

    A folder that holds something cannot be renamed over: the old one leaves for the moment between, and comes back if
    the new one cannot take its place.
    """
    old = temporary.with_name(f"{temporary.name}.old") if temporary.is_dir() and path.is_dir() else None
    try:
        if old is not None:
            path.replace(old)
        temporary.replace(path)
    except OSError:
        if old is not None and old.exists():
            old.replace(path)
        _remove(temporary)
        raise
    if old is not None:
        _remove(old)


def remove_stale_files(folder: Path, below: bool = True) -> None:
    """Remove the temporary files that killed processes left in a folder, never those of a run that is alive.

    Args:
        folder: where to look; nothing happens where there is none.
        below: whether to look in the folders below as well.
    """
    if not folder.is_dir():
        return
    for path in folder.rglob(".*.tmp*") if below else folder.glob(".*.tmp*"):
        with suppress(OSError, ValueError):
            if not _owner_alive(path):
                _remove(path)


def settings_digest(settings: Mapping[str, Any]) -> str:
    """Return the sha256 (hexadecimal) of JSON-able settings; key order does not matter."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def tensor_digest(tensor: Tensor) -> str:
    """Return the sha256 (hexadecimal) of a tensor's type, shape and values."""
    import numpy as np

    array = np.ascontiguousarray(tensor.detach().cpu().numpy())
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.data)
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 (hexadecimal) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_states_digest(settings: str, paths: Sequence[Path]) -> str:
    """Return the sha256 (hexadecimal) of settings and of path, size and time of files.

    Raises:
        OSError: if a file is not there.
    """
    digest = hashlib.sha256(f"{settings}\n".encode())
    for path in paths:
        status = path.stat()
        digest.update(f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def file_states(path: Path) -> list[list[Any]]:
    """Return name, size and time of a cube's files: of every picture of a stack, of the header of an ENVI image."""
    if path.is_dir():
        files = [entry for entry in path.iterdir() if entry.is_file()]
    else:
        files = [path, path.with_suffix(".hdr"), beside(path, ".hdr")]
    states = [(file.name, file.stat()) for file in sorted(set(files)) if file.is_file()]
    return [[name, status.st_size, status.st_mtime_ns] for name, status in states]


def file_stem(name: str) -> str:
    """Return a safe file name for a scene name: itself if it is harmless, else its harmless part and a short digest."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", name):
        return name
    return f"{re.sub('[^A-Za-z0-9_-]+', '_', name)[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def fits_pattern(pattern: str, *names: str) -> bool:
    """Return whether any of the names fits a pattern such as `flight1_*`, or is that word itself.

    A name may hold what a pattern has a meaning for, as `a[0].npy`.
    """
    return any(name == pattern or fnmatch.fnmatchcase(name, pattern) for name in names)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _flush(file: BinaryIO, sync: bool) -> None:
    file.flush()
    if sync:
        os.fsync(file.fileno())


def _owner_alive(path: Path) -> bool:
    """Tell whether the process that writes a temporary file may still be alive (another machine's: for a day)."""
    host, process, _ = path.name[1:].rsplit("+", 2)
    if host != socket.gethostname() or os.name != "posix":
        return time.time() - path.stat().st_mtime < STALE_SECONDS
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def parsed_json(text: str) -> Any:  # noqa: ANN401 - whatever the text holds
    """Return what a text of JSON holds.

    Raises:
        ValueError: if it is no JSON, or lists in lists without end.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise InputError("A text of JSON has lists that are nested without end: write it again.") from error


LONGEST_NAME = 255
"""Bytes that a file system allows for the name of a file."""


def beside(path: Path, ending: str) -> Path:
    """Return the path of a file that lies beside another and is named after it, shortened where that is too long.

    Args:
        path: the other file.
        ending: what is added to its name.
    """
    name = f"{path.name}{ending}"
    # A name of another system's bytes is a name as well.
    own = os.fsencode(path.name)
    if len(own) + len(os.fsencode(ending)) <= LONGEST_NAME:
        return path.with_name(name)
    mark = f"~{hashlib.sha256(own).hexdigest()[:8]}{ending}"
    kept = own[: LONGEST_NAME - len(mark.encode())].decode(errors="ignore")
    return path.with_name(f"{kept}{mark}")
