"""Where things go: the folder of a run, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hyperalign.errors import MissingFileError

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

__all__ = ["cache_folder", "claim_run_folder", "free_path", "run_folder"]


def cache_folder(*parts: str) -> Path:
    """Return a folder of the user's cache: `$HYPERALIGN_CACHE`, or `hyperalign` in `$XDG_CACHE_HOME` or `~/.cache`.

    Args:
        *parts: names of folders below it.

    Raises:
        MissingFileError: if none of them is set and the user has no home, as in containers under a foreign number.
    """
    if folder := os.environ.get("HYPERALIGN_CACHE"):
        return Path(folder, *parts)
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return Path(folder, "hyperalign", *parts)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise MissingFileError(
            "There is no folder for the cache, as this user has no home: set the variable HYPERALIGN_CACHE to one."
        ) from error
    return home.joinpath(".cache", "hyperalign", *parts)


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


def claim_run_folder(trainer: Trainer) -> None:
    """Make the numbered folder of a run that is about to start, so that no other run takes the same number.

    Lightning's loggers of files look for the next free number and make its folder later; two runs started together
    then share one, and one overwrites the other's checkpoint. Here the first process of a run makes the folder itself,
    which only one process can, and gives its number to the logger. Loggers with a version of their own are left alone.
    """
    if not trainer.is_global_zero or getattr(trainer, "fast_dev_run", False):
        return
    for logger in trainer.loggers:
        next_version = getattr(logger, "_get_next_version", None)
        root = getattr(logger, "root_dir", None)
        if next_version is None or getattr(logger, "_version", 0) is not None or root is None or "://" in str(root):
            continue
        number = int(next_version())
        Path(root).mkdir(parents=True, exist_ok=True)
        while True:
            try:
                Path(root, f"version_{number}").mkdir()
                break
            except FileExistsError:
                number += 1
        logger._version = number  # type: ignore[attr-defined]  # as the logger itself does when it has found one


def free_path(folder: Path, stem: str, suffix: str) -> Path:
    """Return the first of `STEM.SUFFIX`, `STEM-1.SUFFIX`, ... that `folder` does not hold yet."""
    path, number = folder / (stem + suffix), 0
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path
