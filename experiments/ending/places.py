"""Where a finished run left its files."""

from __future__ import annotations

from pathlib import Path

from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.prediction.prediction_writer import PredictionWriter
from callbacks.reporting.pictures import Pictures
from callbacks.reporting.results_table import ResultsTable
from callbacks.reporting.without_truth.gain_table import GainWithoutTruth
from hyperalign.trainers import callbacks_of


def checkpoint_of(trainer: Trainer) -> Path | None:
    """Return the checkpoint that a fit left to go on with: the best by its metric, else the last; None without one."""
    for one in callbacks_of(trainer):
        if isinstance(one, ModelCheckpoint):
            kept = [one.best_model_path] if one.monitor else [one.last_model_path, one.best_model_path]
            for path in kept:
                if path and Path(path).is_file():
                    return Path(path)
    return None


def places_of(trainer: Trainer, trained: bool) -> dict[str, Path]:
    """Return what a run left and where, as far as it exists.

    Args:
        trainer: of the finished run.
        trained: whether weights were trained, so that a checkpoint may be new.
    """
    found: dict[str, Path] = {}
    checkpoint = checkpoint_of(trainer) if trained else None
    if checkpoint is not None:
        found["checkpoint"] = checkpoint
    for one in callbacks_of(trainer):
        if isinstance(one, ResultsTable) and one.written is not None:
            found["table"] = one.written
        elif isinstance(one, GainWithoutTruth) and one.written is not None:
            found["estimated gain"] = one.written
        elif isinstance(one, Pictures) and one.root is not None and one.root.is_dir():
            found["pictures"] = one.root
        elif isinstance(one, ProxyGeneration) and trained:
            found["store"] = Path(one.store)
        elif isinstance(one, PredictionWriter) and one.folder is not None:
            found["restored cubes"] = Path(one.folder)
    return found
