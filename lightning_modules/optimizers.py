"""The optimiser and the learning-rate schedule that a configuration injects, put together as Lightning takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.cli import ReduceLROnPlateau as NamedPlateau
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hyperalign.errors import InputError

__all__ = ["Interval", "configured_optimizers"]

Interval = Literal["step", "epoch"]
"""When a schedule steps."""


def configured_optimizers(
    parameters: Iterable[nn.Parameter],
    optimizer: OptimizerCallable | None,
    scheduler: LRSchedulerCallable | None,
    interval: Interval,
    default_rate: float,
) -> OptimizerLRScheduler:
    """Build the optimiser and the schedule over the parameters that learn.

    Args:
        parameters: all of a module; those without gradients are left out.
        optimizer: makes the optimiser; Adam when None.
        scheduler: makes a schedule from the optimiser; none when None.
        interval: the schedule steps every training `step` or every `epoch`; one that waits on a metric always steps
            at the epoch's end, when the metric is there.
        default_rate: learning rate of Adam.

    Raises:
        ValueError: when nothing is left to learn, or a schedule waits on a metric that it does not name.
    """
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    if not learning:
        raise InputError(
            "The network has no parameter that learns, so there is nothing to fit: test or predict with it, or choose "
            "a network with trainable weights."
        )
    made = optimizer(learning) if optimizer else torch.optim.Adam(learning, lr=default_rate)
    if scheduler is None:
        return made
    built = scheduler(made)
    schedule: LRSchedulerConfigType = {"scheduler": built, "interval": interval}
    if isinstance(built, NamedPlateau):
        schedule |= {"monitor": built.monitor, "interval": "epoch"}
    elif isinstance(built, ReduceLROnPlateau):
        raise InputError(
            "The schedule ReduceLROnPlateau of torch does not say which metric it waits on: use "
            "lightning.pytorch.cli.ReduceLROnPlateau with monitor=val/psnr or another logged name."
        )
    return {"optimizer": made, "lr_scheduler": schedule}
