"""Enhanced-3DTV beside the recorded outputs of its published code, and what its own completion of zero factors buys."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_modules.solvers import enhanced_3dtv
from tests.lightning_modules.solvers.recorded import CASES, recorded, start
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene


@pytest.mark.parametrize("case", CASES)
def test_published_output(shared: Path, case: str) -> None:
    recorded(shared, "e3dtv", case).assert_met(enhanced_3dtv)


@pytest.mark.parametrize("iterations", [1, 5, 10])
@pytest.mark.parametrize("case", CASES)
def test_published_estimates_on_the_way(shared: Path, case: str, iterations: int) -> None:
    facts = recorded(shared, "e3dtv", case)
    restored = enhanced_3dtv(facts.observed, start=start(shared, "normal"), iterations=iterations).restored
    tap = facts.arrays[f"{case}_tap_x{iterations}"]
    assert (restored[0, [0, 30]] - tap).norm() / tap.norm() < facts.tolerance["taps_float64"]


def test_a_change_in_the_last_digit_changes_nothing_that_counts() -> None:
    """The published code moves by 2 to 6 per cent: it leaves what is undetermined to its LAPACK."""
    observed = noisy_scene(clean_scene(12, 20, 20))
    generator = torch.Generator().manual_seed(1)
    shaken = observed * (1 + 1e-14 * torch.randn(observed.shape, generator=generator, dtype=torch.float64))
    first, second = (_restored(cube) for cube in (observed, shaken))
    assert (first - second).norm() / first.norm() < 1e-4


def test_the_start_is_forgotten() -> None:
    observed = noisy_scene(clean_scene(12, 20, 20))
    drawn = torch.randn(observed.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.allclose(enhanced_3dtv(observed, rank=6, start=drawn).restored, _restored(observed), atol=1e-3)


def _restored(observed: Tensor) -> Tensor:
    return enhanced_3dtv(observed, rank=6).restored
