"""The solvers' part of the check on a CPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import lightning_modules
from experiments.commands.gpu_check.checks import solvers
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


def test_every_packaged_method_is_listed() -> None:
    kinds = (lightning_modules.TrainingFree, lightning_modules.TrainingFreeFusion)
    offered = {name for name in lightning_modules.__all__ if isinstance(getattr(lightning_modules, name), type)}
    methods = {name for name in offered if issubclass(getattr(lightning_modules, name), kinds)}
    # Those of another package run on the CPU whatever they are given.
    assert methods - {kind.__name__ for kind in kinds} - {"HydeImages"} == {
        *solvers.RESTORERS,
        *solvers.FILLERS,
        *solvers.FUSERS,
        "HIRDiff",
    }


def test_methods_are_compared_and_one_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solvers, "RESTORERS", ("RCTV",))
    monkeypatch.setattr(solvers, "FUSERS", ("GSA",))
    task = quick_task(tmp_path, "solvers")
    solvers.check(task)
    lines = lines_of(task)
    assert set(lines) == {"RCTV", "BandInterpolation", "GSA", "HIRDiff, 3 steps"}
    assert lines["RCTV"].figures["decibels"] == lines["RCTV"].figures["decibels on a cpu"]
    monkeypatch.setattr(solvers, "RESTORERS", ("Failing",))
    failing = SimpleNamespace(solve=lambda cube: cube.missing)
    monkeypatch.setattr(lightning_modules, "Failing", lambda: failing, raising=False)
    solvers.check(task)
    assert [line.what for line in task.note.record.lines if line.holds is False] == ["Failing"]
