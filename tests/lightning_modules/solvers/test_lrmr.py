"""LRMR beside the recorded outputs of its published code, which draws other random numbers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from lightning_modules.solvers import SolverError, SolverResult, lrmr
from tests.lightning_modules.solvers.recorded import CASES, recorded
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("name", "solve"), [("lrmr", lrmr), ("lrmr_r8", partial(lrmr, rank=8, threshold=0.05))], ids=["r7", "r8"]
)
def test_published_quality(shared: Path, name: str, solve: partial[SolverResult], case: str) -> None:
    recorded(shared, name, case).assert_met(solve)


def test_another_seed_draws_other_projections() -> None:
    observed = noisy_scene(clean_scene(8, 24, 24))
    first, again, other = (lrmr(observed, rank=3, seed=seed, iterations=5).restored for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_image_smaller_than_a_block_is_refused() -> None:
    with pytest.raises(
        SolverError, match="blocks of 20 x 20 pixels do not fit an image of 24 x 16: ask for blocks of at most 16"
    ):
        lrmr(noisy_scene(clean_scene(8, 24, 16)))
