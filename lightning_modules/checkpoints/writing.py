"""Checkpoints written whole: beside their place with digests of their tensors, then renamed over the last good one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from hyperalign.files import remove_stale_files, replacing
from lightning_modules.checkpoints.content import CheckpointError, check_run
from lightning_modules.checkpoints.digests import DIGESTS_KEY, digests_of
from lightning_modules.checkpoints.reading import read_checkpoint

__all__ = ["SafeCheckpointIO", "write_checkpoint"]


def write_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint with the digests of its tensors, in place of the one that was there.

    It appears under its name when it is complete and on the disk. Whatever stops the writing, a full disk or a killed
    process, leaves the former file as it was; what a killed process left behind is removed by the next writing.

    Raises:
        CheckpointError: when the folder is unwritable or full.
    """
    path = Path(path)
    kept = {name: value for name, value in content.items() if name != DIGESTS_KEY}
    try:
        remove_stale_files(path.parent, below=False)
        with replacing(path) as file:
            torch.save({**kept, DIGESTS_KEY: digests_of(kept)}, file)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0].rstrip(".")
        former = "; the one that was there is unchanged" if path.is_file() else ""
        raise CheckpointError(
            f"Checkpoint {path} cannot be written ({reason}){former}: make room or give a folder that "
            "can be written to."
        ) from error


class SafeCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written by `write_checkpoint` and read by `read_checkpoint`.

    `RestorationModule` installs it in place of Lightning's default; any other plugin a user chose stays.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ANN401 - Lightning's own signature
    ) -> None:
        """Write a checkpoint; addresses with a scheme (`s3://`) are left to Lightning.

        Raises:
            CheckpointError: when the folder is unwritable or full; the former file is unchanged.
        """
        if "://" in str(path) or storage_options is not None:
            digests = digests_of(checkpoint)
            super().save_checkpoint({**checkpoint, DIGESTS_KEY: digests}, path, storage_options)
        else:
            write_checkpoint(checkpoint, path)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint into host memory; addresses with a scheme (`s3://`) are left to Lightning.

        Raises:
            FileNotFoundError: when there is no such file.
            CheckpointError: when the file is damaged, no run wrote it, or it holds pickled code.
        """
        if "://" in str(path):
            content: dict[str, Any] = super().load_checkpoint(path, map_location=map_location, weights_only=True)
        else:
            content = read_checkpoint(path)
        check_run(content, str(path))
        return content
