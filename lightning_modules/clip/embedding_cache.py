"""Embeddings kept on disk: one small file each, without pickled code, written beside and renamed into place."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperalign.errors import FileAccessError
from hyperalign.files import replacing
from hyperalign.folders import cache_folder

__all__ = ["EmbeddingCache"]

log = logging.getLogger(__name__)


class EmbeddingCache:
    """A folder of `.npz` files named after the sha256 of what their arrays were computed from.

    Args:
        folder: where the files lie; `$HYPERALIGN_CACHE/clip` or `hyperalign/clip` in the user's cache folder when None.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else cache_folder("clip")

    def path(self, *key: object) -> Path:
        """Return the file of the arrays that were computed from these texts."""
        return self.folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()}.npz"

    def read(self, *key: object) -> dict[str, NDArray[Any]] | None:
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

    def write(self, arrays: Mapping[str, NDArray[Any]], *key: object) -> None:
        """Write arrays so that no reader ever sees half a file.

        Raises:
            OSError: the folder is unwritable or full.
        """
        path = self.path(*key)
        try:
            with replacing(path, sync=False) as file:
                np.savez(file, **dict[str, Any](arrays))
        except OSError as error:
            raise FileAccessError(
                f"Embeddings cannot be written to {self.folder} ({error.strerror or error}); name another folder by "
                "`cache` of ClipTowers or HYPERALIGN_CACHE."
            ) from error
