"""The store: what the adaptation stages leave on disk, so that no scene is ever computed twice.

A folder belongs to one stage under one set of settings (its name ends with their sha256); an entry is one array or one
set of weights. The data file is written beside and renamed into place under a name that holds its own sha256, then
a manifest file of its own, renamed into place too, commits the entry. One manifest *per entry* was chosen over one
locked manifest per folder: a rename is atomic on every file system, whereas a lock is unreliable on network ones and
may outlive a killed process; two runs can therefore share a store without knowing of each other, and at worst both
compute an entry, in which case either manifest names a complete data file.
"""

import io
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from hyperalign.errors import HyperalignError
from hyperalign.files import (
    Write,
    file_digest,
    file_stem,
    parsed_json,
    put_in_place,
    remove_stale_files,
    settings_digest,
    write_beside,
    write_text,
)

log = logging.getLogger(__name__)


class StoreError(HyperalignError, OSError):
    """The store could not be written or an entry could not be read; the message is one sentence with the remedy."""


@dataclass(frozen=True)
class Entry:
    """One finished entry.

    Attributes:
        name: the entry's name inside its folder, e.g. `balloons` or `balloons/0`.
        path: the data file (`.npy` for arrays, `.pt` for weights).
        sha256: digest of the data file's bytes, as hexadecimal digits.
        metadata: what the stage recorded about the entry (seconds, quality, ...).
    """

    name: str
    path: Path
    sha256: str
    metadata: Mapping[str, Any]


class Store:
    """One stage's folder of the store, under one set of settings.

    Args:
        root: the store's root folder, shared by all runs.
        stage: the stage's name, first part of the folder's name.
        settings: everything the entries depend on (JSON-able); its sha256 completes the folder's name and a copy
            is kept in `settings.json`. None: the folder is named by the stage alone.
    """

    def __init__(self, root: str | Path, stage: str, settings: Mapping[str, Any] | None = None) -> None:
        self.settings = settings
        self.folder = Path(root) / (stage if settings is None else f"{stage}-{settings_digest(settings)[:32]}")
        self._described = False
        remove_stale_files(self.folder)
        if self.folder.is_dir():
            # Nothing depends on it, so that a store that cannot be written is not refused for it.
            with suppress(OSError):
                self._describe()

    def valid(self, name: str) -> bool:
        """Tell whether an entry is finished and undamaged (size and sha256); a damaged one is reported as a warning."""
        manifest = self._manifest_path(name)
        if not manifest.exists():
            return False
        try:
            entry = self.read(name)
            if file_digest(entry.path) == entry.sha256:
                return True
            reason = f"{entry.path.name} does not have the sha256 in its manifest"
        except OSError as error:
            reason = str(error)
        log.warning("The store entry %s is damaged (%s) and is computed again.", manifest.with_suffix(""), reason)
        return False

    def read(self, name: str) -> Entry:
        """Return a finished entry, checking that its file is there and has its size.

        Raises:
            StoreError: if the entry is missing, its manifest is unreadable or its file has another size.
        """
        manifest = self._manifest_path(name)
        try:
            record = parsed_json(manifest.read_text())
            path = manifest.parent / Path(record["file"]).name
            size = path.stat().st_size
            entry = Entry(name, path, record["sha256"], record["metadata"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"The store entry {manifest.with_suffix('')} cannot be read ({type(error).__name__}: {error}); "
                "run the stage again, and on several machines put the store on a file system that all of them share."
            ) from error
        if size != record["size"]:
            raise StoreError(
                f"The store file {path} has {size} bytes instead of {record['size']}; run the stage again."
            )
        return entry

    def write_array(self, name: str, array: Tensor, metadata: Mapping[str, Any] | None = None) -> Entry:
        """Write a tensor as a mappable float32 `.npy` file and commit it.

        Args:
            name: the entry's name; parts separated by `/` become folders.
            array: the tensor, e.g. a cube `C x H x W`.
            metadata: JSON-able facts kept in the manifest.

        Returns:
            The finished entry.

        Raises:
            StoreError: if the folder is unwritable or full; nothing partial is left behind.
        """
        values = np.ascontiguousarray(array.detach().to("cpu", torch.float32).numpy())
        record = {**(metadata or {}), "shape": list(values.shape)}

        def write(file: BinaryIO) -> None:
            np.lib.format.write_array(file, values, allow_pickle=False)

        return self._commit(name, ".npy", write, record)

    def write_weights(self, name: str, weights: Mapping[str, Tensor]) -> Entry:
        """Write a state dict (readable with `weights_only=True`) and commit it.

        Raises:
            StoreError: if the folder is unwritable or full; nothing partial is left behind.
        """
        plain = {key: value.detach().cpu() for key, value in weights.items()}
        # Serialised in memory first: torch.save hides a full disk behind an error of its own.
        buffer = io.BytesIO()
        torch.save(plain, buffer)
        return self._commit(name, ".pt", lambda file: file.write(buffer.getbuffer()), {})

    def read_weights(self, name: str) -> dict[str, Tensor]:
        """Return the state dict of an entry written by `write_weights`.

        Raises:
            StoreError: if the entry is missing or damaged.
        """
        entry = self.read(name)
        if file_digest(entry.path) != entry.sha256:
            raise StoreError(f"The weights in {entry.path} are damaged; start the fit again without ckpt_path.")
        return cast("dict[str, Tensor]", torch.load(entry.path, map_location="cpu", weights_only=True))

    def check_space(self, size: int, what: str) -> None:
        """Refuse what the disk has no room for, before it is made.

        Args:
            size: bytes that are still to be written.
            what: they are, for the sentence.

        Raises:
            StoreError: when the disk of the store has fewer left.
        """
        folder = next((one for one in (self.folder, *self.folder.parents) if one.is_dir()), Path())
        free = shutil.disk_usage(folder).free
        if size > free:
            raise StoreError(
                f"The {what} need {size / 2**30:.2f} GiB in the store {self.folder.parent}, whose disk has "
                f"{free / 2**30:.2f} GiB left: free some space, or choose another folder with the store argument of "
                "ProxyGeneration."
            )

    def _manifest_path(self, name: str) -> Path:
        *folders, last = (file_stem(part) for part in name.split("/"))
        return self.folder.joinpath(*folders, f"{last}.json")

    def _commit(self, name: str, suffix: str, write: Write, metadata: Mapping[str, Any]) -> Entry:
        """Write the data file, rename it into place, then do the same with the manifest."""
        manifest = self._manifest_path(name)
        with writing(self.folder):
            self._describe()
            manifest.parent.mkdir(parents=True, exist_ok=True)
            temporary, size, digest = write_beside(manifest.parent, write)
            path = manifest.parent / f"{manifest.stem}.{digest[:16]}{suffix}"
            existed = path.exists()
            put_in_place(temporary, path)
            record = {"name": name, "file": path.name, "size": size, "sha256": digest, "metadata": dict(metadata)}
            try:
                write_text(manifest, json.dumps(record, indent=1))
            except OSError:
                if not existed:
                    path.unlink(missing_ok=True)
                raise
        return Entry(name, path, digest, dict(metadata))

    def _describe(self) -> None:
        """Leave the settings beside the entries, for readers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.settings is None or self._described:
            return
        path, text = self.folder / "settings.json", json.dumps(self.settings, indent=1, sort_keys=True)
        if not path.exists() or path.read_bytes() != text.encode():
            if path.exists():
                log.warning("The file %s is damaged and is written again.", path)
            write_text(path, text)
        self._described = True


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn the operating system's errors while writing into the store into one sentence.

    Raises:
        StoreError: if the block raises an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The store folder {folder} cannot be written ({error.strerror or error}); "
            "free some space or choose another folder with the store argument of ProxyGeneration."
        ) from error
