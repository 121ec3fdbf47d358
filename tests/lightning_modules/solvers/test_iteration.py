"""The loop around the iterative methods: who stops when, and which iterate is kept."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from lightning_modules.solvers import SolverError
from lightning_modules.solvers.iteration import Unknowns, iterate


@dataclass
class Scripted(Unknowns):
    """Residuals are written down beforehand, `B x steps`; the solution of a step is its number."""

    residuals: Tensor
    step: int = 0

    def solution(self) -> Tensor:
        return torch.full((len(self.residuals), 1, 1, 1), float(self.step))

    def advance(self) -> Tensor:
        self.step += 1
        return self.residuals[:, self.step - 1]


def run(residuals: list[list[float]], iterations: int = 4) -> tuple[list[float], list[int], list[bool]]:
    result = iterate(
        Scripted(torch.tensor(residuals)),
        Scripted.advance,
        method="Scripted",
        iterations=iterations,
        tolerance=0.1,
        progress=None,
    )
    return result.restored.flatten().tolist(), result.iterations.tolist(), result.converged.tolist()


def test_every_scene_stops_by_itself() -> None:
    assert run([[1, 0.05, 9, 9], [1, 0.5, 0.2, 0.05]]) == ([2.0, 4.0], [2, 4], [True, True])


def test_the_last_iterate_is_kept_where_residuals_only_waver() -> None:
    assert run([[1, 0.2, 0.3, 0.25]]) == ([4.0], [4], [False])


def test_the_best_iterate_is_kept_where_residuals_grow() -> None:
    assert run([[1, 0.2, 3, 9]]) == ([2.0], [2], [False])


def test_a_scene_that_leaves_the_range_ends_with_its_best_iterate() -> None:
    assert run([[1, 0.5, float("nan"), 0.01], [1, 0.5, 0.05, 9]]) == ([2.0, 3.0], [2, 3], [False, True])


def test_factors_are_kept_scene_by_scene_and_multiplied_at_the_end() -> None:
    made = []

    @dataclass
    class Factored(Scripted):
        def factors(self) -> tuple[Tensor, ...]:
            return torch.full((len(self.residuals), 2), float(self.step)), torch.full((len(self.residuals), 1, 2), 2.0)

        def product(self, factors: tuple[Tensor, ...]) -> Tensor:
            made.append(len(factors[0]))
            return (factors[1] @ factors[0][:, :, None])[..., None]

    unknowns = Factored(torch.tensor([[1, 0.2, 3, 9], [1, 0.5, 0.05, 9]]))
    result = iterate(unknowns, Factored.advance, method="Factored", iterations=4, tolerance=0.1, progress=None)
    assert result.restored.flatten().tolist() == [8.0, 12.0]
    # For the shape of the start, and for either scene once it has ended.
    assert made == [2, 1, 1]


def test_nothing_finite_is_an_error() -> None:
    with pytest.raises(SolverError, match=r"left the range of torch\.float32 in its first iteration"):
        run([[float("nan")]], 1)
    with pytest.raises(SolverError, match="needs at least 1 iteration, not 0"):
        run([[1]], 0)
