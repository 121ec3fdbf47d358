"""How long a fit is, counted before it begins: what schedules of the learning rate are laid out for."""

from __future__ import annotations

import math
from typing import Literal, Protocol, runtime_checkable

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from hyperalign.errors import InputError
from hyperalign.trainers import callbacks_of, datamodule_of

__all__ = ["CountsBatches", "DividesTraining", "training_length"]


@runtime_checkable
class CountsBatches(Protocol):
    """Data that know how many batches an epoch has before their loader exists, as in an adaptation."""

    def training_batches(self, ranks: int) -> int:
        """Return the batches of an epoch on each of so many ranks."""
        ...


@runtime_checkable
class DividesTraining(Protocol):
    """A callback that restarts the optimiser within a fit."""

    def schedule_epochs(self, trainer: Trainer) -> int:
        """Return the epochs that the present schedule lasts."""
        ...


def training_length(trainer: Trainer | None, interval: Literal["step", "epoch"], automatic: bool = True) -> int:
    """Return how often a schedule is stepped until the optimiser is made anew or the fit ends.

    Lightning's `estimated_stepping_batches` counts the same, but has the loader built, which an adaptation has not
    before its proxies are made, and does not know rounds.

    Args:
        trainer: the fit's Trainer.
        interval: whether the schedule steps with the optimiser or with the epochs.
        automatic: whether Lightning steps the optimiser; a module that does it itself steps its schedule every batch.

    Raises:
        ValueError: when there is no Trainer or it has no end.
    """
    if trainer is None:
        raise InputError("The schedule takes its length from the Trainer, and there is none: fit with one, or give it.")
    parts = [one for one in callbacks_of(trainer) if isinstance(one, DividesTraining)]
    epochs = parts[0].schedule_epochs(trainer) if parts else trainer.max_epochs
    limited = trainer.max_steps != -1 and automatic
    if epochs is None or epochs == -1:
        if limited and interval == "step":
            return trainer.max_steps
        raise InputError("The schedule takes its length from the Trainer, which has no end: give trainer.max_epochs.")
    if interval == "epoch" and not limited:
        return epochs
    batches = _batches(trainer)
    if math.isinf(batches):
        raise InputError("The schedule takes its length from the Trainer, whose epochs have no end: give its length.")
    steps = [math.ceil(batches / _accumulated(trainer, epoch) if automatic else batches) for epoch in range(epochs)]
    if interval == "step":
        return min(sum(steps), trainer.max_steps) if limited else sum(steps)
    return min(epochs, math.ceil(trainer.max_steps / max(steps[0], 1))) if steps else epochs


def _batches(trainer: Trainer) -> float:
    """Return the batches of an epoch on each rank, as far as the Trainer takes them."""
    data = datamodule_of(trainer)
    if not isinstance(data, CountsBatches) or trainer.train_dataloader is not None:
        if trainer.train_dataloader is None:
            trainer.fit_loop.setup_data()
        return trainer.num_training_batches
    count, limit = data.training_batches(trainer.world_size), trainer.limit_train_batches
    return min(count, limit) if isinstance(limit, int) else int(count * limit)


def _accumulated(trainer: Trainer, epoch: int) -> int:
    """Return how many batches make a step of the optimiser in an epoch."""
    for callback in callbacks_of(trainer):
        if isinstance(callback, GradientAccumulationScheduler):
            return callback.get_accumulate_grad_batches(epoch)
    return trainer.accumulate_grad_batches
