"""Noise levels of HIR-Diff's reverse process: how much of the image is left at each time."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from lightning_modules.solvers.result import SolverError

__all__ = ["Schedule", "remaining_signal", "reverse_times"]

Schedule = Literal["exponential", "linear", "cosine"]
"""The published default, ddpm-cd's training schedule, and Nichol and Dhariwal's (2021)."""


def remaining_signal(schedule: Schedule, times: int = 1000, decay: float = 8.0, offset: float = 0.0) -> Tensor:
    """Return the squared share of the signal, alpha-bar, at the times 0 to `times - 1`, float64.

    Args:
        schedule: see `Schedule`.
        times: number of times.
        decay: k of the exponential schedule, above 0; larger spends more steps on little noise.
        offset: of the cosine schedule.

    Raises:
        SolverError: for an unknown schedule or an impossible number.
    """
    if schedule not in get_args(Schedule) or times < 1 or decay <= 0:
        raise SolverError(
            f"The schedule {schedule!r} over {times} times with decay {decay} is not possible; take one of "
            f"{', '.join(get_args(Schedule))}, at least 1 time and a decay above 0."
        )
    place = torch.arange(1, times + 1, dtype=torch.float64) / times
    if schedule == "linear":
        return (1.0 - torch.linspace(1e-6, 1e-2, times, dtype=torch.float64)).cumprod(dim=0)
    if schedule == "cosine":
        quarter = math.pi / 2 / (1.0 + offset)
        return (((place + offset) * quarter).cos() / math.cos(offset * quarter)).square()
    return 0.001 + 0.999 * torch.expm1(-decay * (1.0 - place)) / math.expm1(-decay)


def reverse_times(times: int, steps: int) -> list[int]:
    """Return the times that are visited, evenly spaced and falling to 0; the published 20 of 1000 start at 950.

    Raises:
        SolverError: more steps than times, or none.
    """
    if not 1 <= steps <= times:
        raise SolverError(f"HIR-Diff was given {steps} steps of {times} times; give 1 to {times}.")
    return list(range(0, times, times // steps))[::-1]
