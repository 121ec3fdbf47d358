"""Embeddings kept on disk: one small file each, without pickled code, written beside and renamed into place."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EmbeddingCache"]

log = logging.getLogger(__name__)


class EmbeddingCache:
    """A folder of `.npz` files named after the sha256 of what their arrays were computed from.

    Args:
        folder: where the files lie; `$HYPERALIGN_CACHE/clip` or `hyperalign/clip` in the user's cache folder when None.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = Path(folder) if folder is not None else _default_folder()

    def path(self, *key: str) -> Path:
        """File of the arrays that were computed from these texts."""
        return self.folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()}.npz"

    def read(self, *key: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a file; None where there is none, or a damaged one, which a warning reports."""
        path = self.path(*key)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            log.warning("The kept embedding %s is damaged (%s) and is computed again.", path, error)
            return None

    def write(self, arrays: Mapping[str, NDArray[Any]], *key: str) -> None:
        """Write arrays so that no reader ever sees half a file.

        Raises:
            OSError: the folder is unwritable or full.
        """
        path = self.path(*key)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("xb") as file:
                np.savez(file, **dict[str, Any](arrays))
            beside.replace(path)
        except OSError as error:
            raise OSError(
                f"Embeddings cannot be written to {self.folder} ({error.strerror or error}); name another folder by "
                "`cache` of ClipTowers or HYPERALIGN_CACHE."
            ) from error
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def _default_folder() -> Path:
    if folder := os.environ.get("HYPERALIGN_CACHE"):
        return Path(folder) / "clip"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperalign" / "clip"
