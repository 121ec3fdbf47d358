"""RCTV beside the recorded outputs of its published code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_modules.solvers import rctv
from tests.lightning_modules.solvers.recorded import CASES, recorded


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", CASES)
def test_published_output(shared: Path, case: str, dtype: torch.dtype) -> None:
    recorded(shared, "rctv", case).assert_met(rctv, dtype)


def test_scenes_of_a_batch_are_restored_as_each_alone() -> None:
    scenes = torch.rand(2, 6, 16, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scenes[1] = scenes[1] * 3 + 5 * (scenes[1] > 0.99)
    together = rctv(scenes, rank=3)
    for number, alone in enumerate(rctv(scene[None], rank=3) for scene in scenes):
        assert alone.iterations[0] == together.iterations[number]
        torch.testing.assert_close(alone.restored[0], together.restored[number])


def test_sparse_noise_is_left_out_above_a_weight_of_100() -> None:
    observed = torch.rand(1, 5, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with_outlier = observed.clone()
    with_outlier[0, 2, 6, 6] += 50
    robust, quadratic = (rctv(with_outlier, rank=3, lam=lam, iterations=60).restored for lam in (1.0, 101.0))
    reference = rctv(observed, rank=3).restored
    assert (robust - reference).abs().max() < (quadratic - reference).abs().max()
