"""The optimiser and the learning-rate schedule that a configuration injects, put together as Lightning takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.cli import ReduceLROnPlateau as NamedPlateau
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hyperalign.errors import InputError
from hyperalign.ranks import world

__all__ = ["Interval", "configured_optimizers", "lay_gradients_out"]

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
    if world()[0] > 1:
        lay_gradients_out(learning)
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


def lay_gradients_out(parameters: Iterable[nn.Parameter]) -> None:
    """Give gradients the strides of their parameters, where both hold the same numbers in the same order.

    The weight of a depthwise convolution has an axis of length 1, whose stride means nothing; behind images that are
    laid out channels last its gradient has another one there than the weight, which DistributedDataParallel takes for
    another layout, and warns. No number changes and nothing is copied.

    Args:
        parameters: what learns.
    """
    for parameter in parameters:
        if 1 in parameter.shape and parameter.is_contiguous():
            parameter.register_hook(_laid_out(parameter.shape, parameter.stride()))


def _laid_out(shape: torch.Size, stride: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    def laid(gradient: Tensor) -> Tensor:
        same = gradient.shape == shape and gradient.is_contiguous()
        return gradient.as_strided(shape, stride) if same and gradient.stride() != stride else gradient

    return laid
