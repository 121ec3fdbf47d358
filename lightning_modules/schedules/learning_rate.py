"""Learning-rate schedules that are as long as the training: the Trainer's epochs, batches, ranks and accumulation."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from hyperalign.errors import InputError

__all__ = ["LinearWarmupCosine", "LinearWarmupPolynomial", "OneCycle", "length_from"]

_log = logging.getLogger(__name__)
_LAID_OUT = ("total_steps", "_schedule_phases")
"""What a schedule's state says of its own length."""
_LENGTH: ContextVar[Callable[[], int] | None] = ContextVar("schedule_length", default=None)


@contextmanager
def length_from(count: Callable[[], int]) -> Iterator[None]:
    """Let schedules that are made in the block, without a length of their own, take what `count` returns."""
    token = _LENGTH.set(count)
    try:
        yield
    finally:
        _LENGTH.reset(token)


def _length(given: int | None, name: str, setting: str) -> int:
    """Return the length that was given, else the training's.

    Raises:
        ValueError: when there is neither, or it is below 1.
    """
    count = _LENGTH.get()
    if given is None and count is None:
        raise InputError(f"{name} has no length: give {setting}, or build it in a module that a Trainer fits.")
    length = given if given is not None else count() if count is not None else 0
    if length < 1:
        raise InputError(f"{name}: {setting} is {length}; give at least 1, or null for the length of the training.")
    return length


def _rise(warmup: float, length: int, name: str) -> int:
    """Return the steps of a warm-up, given as steps or, below 1, as their share of the whole.

    Raises:
        ValueError: when it is negative or not shorter than the whole.
    """
    rise = round(warmup * length) if 0 < warmup < 1 else int(warmup)
    if not 0 <= rise < length:
        raise InputError(f"{name}: warmup {warmup} is not between 0 and total {length}; choose a shorter warm-up.")
    return rise


class OneCycle(OneCycleLR):
    """One rise and fall of the learning rate over the whole training (Smith and Topin, arXiv 1708.07120).

    What torch's `OneCycleLR` does, with three differences: the length comes from the Trainer, so that any number of
    epochs, patches, ranks or accumulated batches runs the whole cycle; the peak may be the optimiser's own learning
    rate; and optimisers without momentum are taken.

    Args:
        optimizer: optimiser whose learning rate is set.
        max_lr: peak; None takes the optimiser's learning rate.
        total_steps: length in steps; None takes the training's.
        pct_start: share of the steps in which the rate rises.
        anneal_strategy: `cos` or `linear`.
        cycle_momentum: whether momentum (or Adam's first beta) falls and rises against it, where the optimiser has one.
        div_factor: peak over the first rate.
        final_div_factor: first rate over the last one.
        last_epoch: step to continue from; -1 starts.
        full_from: steps from which on the peak is reached; a shorter training has a peak that is lower in proportion.
            Adam's first steps move every weight by the rate, whatever the gradients, and only many of them average out.

    Raises:
        ValueError: when the length is not known or below 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | None = None,
        total_steps: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        last_epoch: int = -1,
        full_from: int = 1,
    ) -> None:
        length = _length(total_steps, "OneCycle", "total_steps")
        share = min(1.0, length / max(full_from, 1))
        if share < 1:
            _log.warning(
                "The training has %d steps, and the learning rate is to peak at 1/%.3g of its value, as fewer than "
                "%d steps of it disturb a network more than they teach it: give trainer.max_steps more, or leave it "
                "out.",
                length,
                1 / share,
                full_from,
            )
        if math.isclose(pct_start * length, 1.0):
            # The rise would end with the step it begins with, which torch divides by.
            pct_start *= 1.0 + 1e-6
        super().__init__(
            optimizer,
            max_lr=[share * float(group["lr"] if max_lr is None else max_lr) for group in optimizer.param_groups],
            total_steps=length,
            # At 1 the fall would have no step, and torch divides by their number.
            pct_start=min(pct_start, 1.0 - 1e-6),
            anneal_strategy=anneal_strategy,
            cycle_momentum=cycle_momentum and bool({"momentum", "betas"} & set(optimizer.defaults)),
            div_factor=div_factor,
            final_div_factor=final_div_factor,
            last_epoch=last_epoch,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the schedule of a resumed fit; of a fit that is now longer, its place in the longer schedule."""
        recorded = state_dict.get("total_steps")
        if not isinstance(recorded, int) or recorded >= self.total_steps:
            super().load_state_dict(state_dict)
            return
        _log.warning(
            "The schedule in the checkpoint has %d steps and this fit %d: the learning rate goes on at step %d of the "
            "longer schedule, so the end is not that of one fit of this length.",
            recorded,
            self.total_steps,
            state_dict.get("last_epoch", 0),
        )
        super().load_state_dict({name: value for name, value in state_dict.items() if name not in _LAID_OUT})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the rate is asked for between two steps, on purpose
            rates = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate


class LinearWarmupCosine(LambdaLR):
    """Linear warm-up from zero, then half a cosine down, as PromptIR and MP-HSIR are trained.

    The first step has learning rate zero; step `warmup - 1` and step `warmup` have the optimiser's own.

    Args:
        optimizer: optimiser whose learning rate is the peak.
        warmup: steps (or epochs, by the interval it is stepped at) of the warm-up; below 1, their share of the whole.
        total: steps at which the cosine ends; training may stop earlier. None takes the training's length times
            `stretch`.
        final_factor: end of the cosine over the peak.
        last_epoch: step to continue from; -1 starts.
        stretch: length of the whole over that of the training, which then stops before the cosine's end.

    Raises:
        ValueError: when the length is not known, or the warm-up is negative or not shorter than the whole.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: float,
        total: int | None = None,
        final_factor: float = 0.0,
        last_epoch: int = -1,
        stretch: float = 1.0,
    ) -> None:
        length = _length(total, "LinearWarmupCosine", "total")
        length = length if total is not None else round(length * stretch)
        rise = _rise(warmup, length, "LinearWarmupCosine")

        def factor(step: int) -> float:
            if step < rise:
                return step / max(rise - 1, 1)
            passed = min((step - rise) / (length - rise), 1.0)
            return final_factor + (1 - final_factor) * (1 + math.cos(math.pi * passed)) / 2

        super().__init__(optimizer, factor, last_epoch)


class LinearWarmupPolynomial(LambdaLR):
    """Linear warm-up, then a power of the remaining share of the training down to zero, as SSTF-Unet is trained.

    Args:
        optimizer: optimiser whose learning rate is the peak.
        warmup: steps (or epochs, by the interval it is stepped at) of the warm-up; below 1, their share of the whole.
        total: steps at which the learning rate is zero; None takes the training's length.
        first_factor: beginning of the warm-up over the peak.
        power: of the remaining share.
        last_epoch: step to continue from; -1 starts.

    Raises:
        InputError: when the warm-up is negative or not shorter than the whole.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: float,
        total: int | None = None,
        first_factor: float = 0.1,
        power: float = 1.5,
        last_epoch: int = -1,
    ) -> None:
        length = _length(total, "LinearWarmupPolynomial", "total")
        rise = _rise(warmup, length, "LinearWarmupPolynomial")

        def factor(step: int) -> float:
            if step < rise:
                return first_factor + (1 - first_factor) * step / rise
            return float(max(0.0, 1 - (step - rise) / (length - rise)) ** power)

        super().__init__(optimizer, factor, last_epoch)
