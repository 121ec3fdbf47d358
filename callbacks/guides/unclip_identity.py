"""Which weights a folder holds: a digest for the store's key that does not read gigabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

BLOCK = 1 << 16
SAMPLED = 64
"""A large file is represented by this many blocks of this many bytes, evenly spaced, its end among them."""


def folder_digest(folder: Path, parts: Sequence[str] | None = None) -> str:
    """Return the sha256 (hexadecimal) of the names, sizes and contents of a model folder's files.

    Training changes every weight, so that the sampled blocks of a large file tell one training from another; the
    folder's own place on disk does not matter.

    Args:
        folder: where a model or a pipeline was saved.
        parts: subfolders that count, beside the files of the folder itself; None counts the folder's files alone.
    """
    files = [path for path in folder.iterdir() if path.is_file() and path.suffix == ".json"] if parts else []
    for place in [folder / part for part in parts] if parts else [folder]:
        files += [path for path in place.glob("*") if path.is_file() and not path.name.startswith(".")]
    digest = hashlib.sha256()
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= BLOCK * SAMPLED:
                digest.update(file.read())
                continue
            for number in range(SAMPLED):
                file.seek(number * (size - BLOCK) // (SAMPLED - 1))
                digest.update(file.read(BLOCK))
    return digest.hexdigest()
