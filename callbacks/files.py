"""Atomic files: written beside under a temporary name, hashed on the way, renamed into place when complete."""

import hashlib
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

STALE_SECONDS = 24 * 3600.0

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


def write_beside(folder: Path, write: Write, sync: bool = True) -> tuple[Path, int, str]:
    """Write a temporary file and return its path, size and sha256; on an error remove it.

    Args:
        folder: Where the file will stay, so that renaming it never crosses file systems.
        write: Writes the content.
        sync: Whether to wait until the content is on the disk: a full disk may only show then, and after the rename
            it would be too late.
    """
    temporary = folder / f".{socket.gethostname()}+{os.getpid()}+{uuid4().hex[:8]}.tmp"
    try:
        with temporary.open("xb") as file:
            writer = _HashingWriter(file)
            write(cast("BinaryIO", writer))
            file.flush()
            if sync:
                os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary, writer.size, writer.digest.hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Write a text file beside and rename it into place."""
    temporary, _, _ = write_beside(path.parent, lambda file: file.write(text.encode()), sync=False)
    put_in_place(temporary, path)


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a finished temporary file; on an error remove it."""
    try:
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_stale_files(folder: Path) -> None:
    """Remove the temporary files that killed processes left under a folder, never those of a run that is alive."""
    if not folder.is_dir():
        return
    for path in folder.rglob(".*.tmp"):
        with suppress(OSError, ValueError):
            if not _owner_alive(path):
                path.unlink()


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
