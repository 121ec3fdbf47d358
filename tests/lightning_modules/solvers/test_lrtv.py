"""LRTV in both forms beside the recorded outputs of its published code."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from lightning_modules.solvers import SolverError, SolverResult, lrtv
from tests.lightning_modules.solvers.recorded import CASES, recorded, start
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("name", "form"), [("lrtv_repo", "squared"), ("lrtv_l1", "absolute")])
def test_published_output(
    shared: Path, name: str, form: Literal["squared", "absolute"], case: str, dtype: torch.dtype
) -> None:
    first = start(shared, "uniform")

    def solve(observed: Tensor) -> SolverResult:
        return lrtv(observed, sparse_noise=form, start=first.to(observed.dtype))

    recorded(shared, name, case).assert_met(solve, dtype)


def test_only_the_absolute_form_stands_outliers() -> None:
    clean = clean_scene(12, 24, 24)
    observed = clean.clone()
    hit = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    observed[hit] = 1
    solve = partial(lrtv, observed, rank=3)
    absolute, squared = (solve(sparse_noise=form).restored for form in ("absolute", "squared"))
    assert (absolute - clean).square().mean() < 0.9 * (squared - clean).square().mean()


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(SolverError, match="knows the noise forms absolute and squared, not 'cubed'"):
        lrtv(noisy_scene(clean_scene(4, 8, 8)), rank=2, sparse_noise="cubed")  # type: ignore[arg-type]
