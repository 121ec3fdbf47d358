"""LRTDTV in both forms beside the recorded outputs of its published code."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from lightning_modules.solvers import SolverResult, lrtdtv, lrtdtv_g
from tests.lightning_modules.solvers.recorded import CASES, recorded, start
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("name", "solve"), [("lrtdtv", lrtdtv), ("lrtdtv_g", lrtdtv_g)])
def test_published_output(shared: Path, name: str, solve: partial[SolverResult], case: str) -> None:
    first = start(shared, "uniform")
    recorded(shared, name, case).assert_met(partial(solve, start=first))


def test_float32_cubes_are_computed_in_float64() -> None:
    observed = noisy_scene(clean_scene(8, 16, 16)).float()
    result = lrtdtv(observed, rank=3)
    assert result.restored.dtype == torch.float32
    assert torch.equal(result.restored, lrtdtv(observed.double(), rank=3).restored.float())
