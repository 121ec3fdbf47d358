"""The result of a training-free method says what it missed."""

from __future__ import annotations

import torch

from lightning_modules.solvers import SolverResult
from lightning_modules.solvers.result import report


def result(converged: list[bool]) -> SolverResult:
    count = len(converged)
    residual = torch.arange(1.0, count + 1) * 1e-3
    return SolverResult(torch.zeros(count, 2, 3, 3), residual, torch.full((count,), 40), torch.tensor(converged))


def test_the_worst_of_the_missed_scenes_is_named() -> None:
    text = result([True, False, False]).unconverged("RCTV")
    assert text.startswith("RCTV did not meet its stopping rule for 2 of 3 scenes: scene 2 stands at")
    assert "3.0e-03 after 40 iterations" in text


def test_nothing_is_said_where_every_scene_converged() -> None:
    assert result([True, True]).unconverged("RCTV") == ""


def test_progress_gets_the_largest_residual_of_the_batch() -> None:
    seen: list[tuple[int, int, float]] = []
    report(lambda *step: seen.append(step), 3, 40, torch.tensor([0.5, 2.0]))
    report(None, 3, 40, torch.tensor([0.5, 2.0]))
    assert seen == [(3, 40, 2.0)]
