"""Learning-rate schedules of published recipes that PyTorch does not have as one class."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from hyperalign.errors import InputError

__all__ = ["LinearWarmupCosine", "LinearWarmupPolynomial"]


class LinearWarmupCosine(LambdaLR):
    """Linear warm-up from zero, then half a cosine down, as PromptIR and MP-HSIR are trained.

    The first step has learning rate zero; step `warmup - 1` and step `warmup` have the optimiser's own.

    Args:
        optimizer: optimiser whose learning rate is the peak.
        warmup: steps (or epochs, by the interval it is stepped at) of the warm-up.
        total: steps at which the cosine ends; training may stop earlier.
        final_factor: end of the cosine over the peak.
        last_epoch: step to continue from; -1 starts.

    Raises:
        ValueError: when the warm-up is negative or not shorter than the whole.
    """

    def __init__(
        self, optimizer: Optimizer, warmup: int, total: int, final_factor: float = 0.0, last_epoch: int = -1
    ) -> None:
        if not 0 <= warmup < total:
            raise InputError(
                f"LinearWarmupCosine: warmup {warmup} is not between 0 and total {total}; choose a shorter warm-up."
            )

        def factor(step: int) -> float:
            if step < warmup:
                return step / max(warmup - 1, 1)
            passed = min((step - warmup) / (total - warmup), 1.0)
            return final_factor + (1 - final_factor) * (1 + math.cos(math.pi * passed)) / 2

        super().__init__(optimizer, factor, last_epoch)


class LinearWarmupPolynomial(LambdaLR):
    """Linear warm-up, then a power of the remaining share of the training down to zero, as SSTF-Unet is trained.

    Args:
        optimizer: optimiser whose learning rate is the peak.
        warmup: steps (or epochs, by the interval it is stepped at) of the warm-up.
        total: steps at which the learning rate is zero.
        first_factor: beginning of the warm-up over the peak.
        power: of the remaining share.
        last_epoch: step to continue from; -1 starts.

    Raises:
        InputError: when the warm-up is negative or not shorter than the whole.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: int,
        total: int,
        first_factor: float = 0.1,
        power: float = 1.5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= warmup < total:
            raise InputError(
                f"LinearWarmupPolynomial: warmup {warmup} is not between 0 and total {total}; choose a shorter one."
            )

        def factor(step: int) -> float:
            if step < warmup:
                return first_factor + (1 - first_factor) * step / warmup
            return float(max(0.0, 1 - (step - warmup) / (total - warmup)) ** power)

        super().__init__(optimizer, factor, last_epoch)
