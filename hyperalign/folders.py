"""Where things go: the folder of a run, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["cache_folder", "free_path", "run_folder"]


def cache_folder(*parts: str) -> Path:
    """Return a folder of the user's cache: `$HYPERALIGN_CACHE`, or `hyperalign` in `$XDG_CACHE_HOME` or `~/.cache`.

    Args:
        *parts: names of folders below it.
    """
    if folder := os.environ.get("HYPERALIGN_CACHE"):
        return Path(folder, *parts)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").joinpath("hyperalign", *parts)


def run_folder(trainer: Trainer) -> Path:
    """Return the folder that belongs to this run alone, the same on every rank.

    It is the log folder of the first logger; a logger that keeps files of several runs in one folder (Weights &
    Biases) is given the folder that its checkpoints get, `save_dir/name/version`; without a logger it is the
    Trainer's `default_root_dir`. All ranks must call it together: the name is broadcast.
    """
    folder = ""
    if trainer.is_global_zero:
        logger = trainer.loggers[0] if trainer.loggers else None
        if logger is None:
            folder = trainer.default_root_dir
        elif logger.log_dir is not None:
            folder = logger.log_dir
        else:
            root = Path(logger.save_dir or trainer.default_root_dir)
            folder = str(root / str(logger.name) / str(logger.version))
    return Path(trainer.strategy.broadcast(folder))


def free_path(folder: Path, stem: str, suffix: str) -> Path:
    """Return the first of `STEM.SUFFIX`, `STEM-1.SUFFIX`, ... that `folder` does not hold yet."""
    path, number = folder / (stem + suffix), 0
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path
