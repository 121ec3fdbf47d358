"""Keeps the whole configuration of a run beside its other results."""

from __future__ import annotations

import os
from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback


def run_folder(trainer: Trainer) -> Path:
    """The folder that belongs to this run alone, the same on every rank.

    A logger that keeps files of several runs in one folder (W&B) is given the folder that its checkpoints get,
    `save_dir/name/version`; without a logger it is the trainer's `default_root_dir`.
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


def free_name(folder: Path, stem: str = "config", suffix: str = ".yaml") -> Path:
    """The first of `config.yaml`, `config-1.yaml`, ... that `folder` does not hold yet."""
    path, number = folder / (stem + suffix), 0
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path


class SaveRunConfig(SaveConfigCallback):
    """Writes `config.yaml` into the run's own folder when a run starts, never over an earlier one."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Saves the configuration once, on rank zero."""
        if self.already_saved:
            return
        folder = run_folder(trainer)
        self.already_saved = True
        if not trainer.is_global_zero:
            return
        folder.mkdir(parents=True, exist_ok=True)
        text = self.parser.dump(self.config, skip_none=False)
        path = free_name(folder)
        partial = path.with_name(path.name + f".{os.getpid()}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
