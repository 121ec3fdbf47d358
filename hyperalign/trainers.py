"""What Lightning's Trainer holds and its types do not declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer

__all__ = ["callbacks_of", "datamodule_of", "is_trial"]


def datamodule_of(trainer: Trainer | None) -> object:
    """Return the DataModule of a Trainer, None where there is no Trainer or it was given loaders alone."""
    return getattr(trainer, "datamodule", None)


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """Return the callbacks of a Trainer in the order in which they are called."""
    untyped: Any = trainer
    return list(untyped.callbacks)


def is_trial(trainer: Trainer) -> bool:
    """Tell whether a Trainer only tries a few batches (`fast_dev_run`)."""
    untyped: Any = trainer
    return bool(untyped.fast_dev_run)
