"""What every training-free method returns, what it takes for progress, and the error for input that it cannot solve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from hyperalign.errors import HyperalignError

__all__ = ["Progress", "SolverError", "SolverResult", "report"]

Progress = Callable[[int, int, float], None]
"""Called after every iteration: its number from 1, the most there can be, and the largest residual of the batch."""


class SolverError(HyperalignError, ValueError):
    """Input or parameters that a training-free method cannot work with."""


@dataclass(frozen=True)
class SolverResult:
    """What a training-free method reached for a batch of scenes.

    Args:
        restored: the solution, `B x C x H x W`.
        residual: what the stopping rule measures, at the solution, `B`; the method says what it is. Zero for a method
            that solves its problem in closed form.
        iterations: iterations until the solution, `B`, whole numbers.
        converged: whether the stopping rule was met before the iterations ran out, `B`, booleans.
    """

    restored: Tensor
    residual: Tensor
    iterations: Tensor
    converged: Tensor

    def unconverged(self, method: str) -> str:
        """Say in one sentence which scenes of the batch missed the stopping rule; an empty text where none did."""
        missed = [scene for scene, met in enumerate(self.converged.tolist()) if not met]
        if not missed:
            return ""
        worst = max(missed, key=lambda scene: float(self.residual[scene]))
        return (
            f"{method} did not meet its stopping rule for {len(missed)} of {len(self.converged)} scenes: scene {worst} "
            f"stands at a residual of {float(self.residual[worst]):.1e} after {int(self.iterations[worst])} "
            "iterations, and its best iterate is returned; allow more iterations or a larger tolerance."
        )


def report(progress: Progress | None, iteration: int, most: int, residual: Tensor) -> None:
    """Tell a progress hook, where there is one, how far the worst scene of the batch still is."""
    if progress is not None:
        progress(iteration, most, float(residual.max()))
