"""The loop around every iterative method: each scene of a batch stops by itself, and its best iterate is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

import torch
from torch import Tensor

from lightning_modules.solvers.result import Progress, SolverError, SolverResult, report

__all__ = ["Unknowns", "iterate"]


@dataclass
class Unknowns(ABC):
    """What an iteration changes: a dataclass whose every tensor has one row a scene of the batch."""

    @abstractmethod
    def solution(self) -> Tensor:
        """Return the restored cubes as they stand, `B x C x H x W`, in a tensor that later steps leave alone."""

    def factors(self) -> tuple[Tensor, ...]:
        """Return what the solution is made of, in tensors that later steps leave alone, where that is less."""
        return (self.solution(),)

    def product(self, factors: tuple[Tensor, ...]) -> Tensor:
        """Return the solution, `B x C x H x W`, that is made of what `factors` gave."""
        return factors[0]

    def keep(self, scenes: Tensor) -> None:
        """Go on with these scenes only.

        Args:
            scenes: rows to keep, booleans `B`.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                setattr(self, field.name, value[scenes])


SLACK = 2.0
"""A residual that wavers by less than this factor is no step back."""

State = TypeVar("State", bound=Unknowns)


def iterate(
    unknowns: State,
    step: Callable[[State], Tensor],
    *,
    method: str,
    iterations: int,
    tolerance: float,
    progress: Progress | None,
) -> SolverResult:
    """Repeat a step until each scene's residual is below the tolerance; leave finished scenes out of the batch.

    A scene that never gets there ends with the last iterate whose residual is within twice the lowest one: the last of
    all, unless the iteration turned away from the solution or left the range of the number type.

    Args:
        unknowns: the start; is changed.
        step: does one iteration in place and returns the residual of each scene, `B`.
        method: name for the sentences.
        iterations: the most iterations.
        tolerance: a scene stops when its residual is below this.
        progress: hook, or None.

    Raises:
        SolverError: when there is no iteration to do, or already the first one gives numbers that are not finite.
    """
    if iterations < 1:
        raise SolverError(f"{method} needs at least 1 iteration, not {iterations}.")
    best = unknowns.factors()
    result = _unsolved(unknowns.product(best))
    running = torch.arange(len(result.residual), device=result.residual.device)
    lowest = result.residual.clone()
    for number in range(1, iterations + 1):
        residual = step(unknowns)
        finite = residual.isfinite()
        if number == 1 and not bool(finite.all()):
            raise SolverError(f"{method} left the range of {residual.dtype} in its first iteration: scale the cubes.")
        better = residual < SLACK * lowest
        lowest = torch.minimum(lowest, residual)
        latest = unknowns.factors()
        best = latest if bool(better.all()) else _chosen(better, latest, best)
        rows = running[better]
        result.residual[rows], result.iterations[rows] = residual[better], number
        result.converged[rows] = residual[better] < tolerance
        report(progress, number, iterations, residual)
        going = finite & ~result.converged[running] & (number < iterations)
        if not bool(going.all()):
            result.restored[running[~going]] = unknowns.product(tuple(factor[~going] for factor in best))
            unknowns.keep(going)
            running, lowest = running[going], lowest[going]
            best = tuple(factor[going] for factor in best)
        if not len(running):
            break
    return result


def _chosen(better: Tensor, latest: tuple[Tensor, ...], best: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the latest factors of the scenes that got better, and the best ones of the others."""
    return tuple(
        torch.where(better.view(-1, *(1 for _ in one.shape[1:])), one, other)
        for one, other in zip(latest, best, strict=True)
    )


def _unsolved(start: Tensor) -> SolverResult:
    """A result that any iterate improves."""
    scenes = len(start)
    return SolverResult(
        restored=torch.empty_like(start),
        residual=start.new_full((scenes,), torch.inf),
        iterations=torch.zeros(scenes, dtype=torch.long, device=start.device),
        converged=torch.zeros(scenes, dtype=torch.bool, device=start.device),
    )
