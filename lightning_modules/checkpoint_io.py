"""How the trainer reads checkpoint files: only data, with one-sentence errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io import TorchCheckpointIO

from lightning_modules.checkpoints import read_checkpoint

__all__ = ["SafeCheckpointIO"]


class SafeCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, read by `read_checkpoint`: pickled code is never run, damage is named.

    `RestorationModule` installs it in place of Lightning's default; any other plugin a user chose stays.
    """

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint into host memory; addresses with a scheme (`s3://`) are left to Lightning.

        Raises:
            FileNotFoundError: when there is no such file.
            CheckpointError: when the file is truncated, is no checkpoint, or holds pickled code.
        """
        if "://" in str(path):
            content: dict[str, Any] = super().load_checkpoint(path, map_location=map_location, weights_only=True)
            return content
        return read_checkpoint(path)
