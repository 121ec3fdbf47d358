"""Noise schedules and the visited times."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from lightning_modules.solvers import SolverError
from lightning_modules.solvers.hir_diff.restoration import PUBLISHED
from lightning_modules.solvers.hir_diff.schedule import remaining_signal, reverse_times
from tests.lightning_modules.solvers.hir_diff.recorded_step import RECORDED


def test_recorded_levels(golden: ModuleType, shared: Path) -> None:
    spec, _ = golden.load_case(shared / "golden" / "diffusion", "hirdiff_step")
    times = reverse_times(1000, 20)
    assert (times[0], times[1], times[-1], len(times)) == (950, 900, 0, 20)
    for task, name in RECORDED.items():
        signal = remaining_signal("exponential", decay=PUBLISHED[task].decay)
        assert signal[times[:3]].tolist() == pytest.approx(spec["tasks"][name]["alpha_bar"], abs=1e-12)


@pytest.mark.parametrize("schedule", ["exponential", "linear", "cosine"])
def test_signal_falls(schedule: str) -> None:
    signal = remaining_signal(schedule, offset=0.008)  # type: ignore[arg-type]
    assert 0.99 < float(signal[0]) < 1
    assert 0 <= float(signal[-1]) < 0.02
    assert bool((signal.diff() < 0).all())


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(SolverError, match="take one of exponential, linear, cosine"):
        remaining_signal("sigmoid")  # type: ignore[arg-type]
    with pytest.raises(SolverError, match="0 steps of 1000 times"):
        reverse_times(1000, 0)
