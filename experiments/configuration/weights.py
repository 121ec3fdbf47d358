"""Refuses to run a network whose weights nobody trained, and a checkpoint that was asked for and is not there."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from hyperalign.errors import UsageError
from lightning_modules import RestorationModule

__all__ = ["LastCheckpoint", "check_weights", "check_word"]


def check_weights(model: LightningModule, checkpoint: str | None, purpose: str) -> None:
    """Make sure that a network has weights somebody trained; a training-free method has none that could be missing.

    Args:
        model: what is to be run.
        checkpoint: `--ckpt_path`.
        purpose: what it is run for, for the sentence.

    Raises:
        UsageError: where neither a checkpoint nor source weights are given.
    """
    if checkpoint or not isinstance(model, RestorationModule) or model.has_source:
        return
    if next(model.network.parameters(), None) is not None:
        raise UsageError(
            f"The network has no trained weights to {purpose}: give --ckpt_path a checkpoint, or "
            "--model.init_args.source the source-trained one."
        )


def check_word(checkpoint: str | None, root: str) -> None:
    """Refuse Lightning's words for checkpoints that a command of its own process cannot know.

    Args:
        checkpoint: `--ckpt_path`.
        root: the folder of the runs, for the sentence.

    Raises:
        UsageError: for `best`, which is known only to the process that fitted, `hpc` and `registry`; for nothing.
    """
    if checkpoint is None or checkpoint == "last":
        return
    if checkpoint == "best":
        raise UsageError(
            f"There is no best checkpoint to choose, as only the process of a fit knows it: give --ckpt_path the path "
            f"of one below {root}, or last for the newest."
        )
    if checkpoint == "hpc" or checkpoint.startswith("registry"):
        raise UsageError(f"--ckpt_path {checkpoint} names no file: give the path of a checkpoint, or last.")
    if not checkpoint.strip():
        raise UsageError("--ckpt_path is empty: give the path of a checkpoint, or leave it out.")


class LastCheckpoint(Callback):
    """Refuses a run that was asked for its `last` checkpoint and has none: Lightning would go on with other weights."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Look whether Lightning found one.

        Raises:
            UsageError: where it did not.
        """
        if not trainer.ckpt_path:
            raise UsageError(
                f"There is no last checkpoint below {trainer.default_root_dir}: give --ckpt_path the path of one, or "
                "leave it out to begin anew."
            )
