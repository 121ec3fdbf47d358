"""SUNSAL beside the recorded abundances of its published code, and beside the conditions of the minimum."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers import SolverError
from lightning_modules.solvers.sunsal import fully_constrained_abundances
from tests.lightning_modules.solvers.fusion_cases import recorded


def test_recorded_abundances(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "iccv15")
    pixels = case.arrays["lr_b"].flatten(1)
    found, residual, iterations = fully_constrained_abundances(case.arrays["E0"], pixels)
    # Pixels were counted column by column.
    expected = case.arrays["AS0"].view(10, 16, 16).mT.flatten(1)
    assert golden.relative_error(found, expected) < 1e-9
    assert (residual < 1e-4, iterations) == (True, 141)


def test_conditions_of_the_minimum() -> None:
    generator = torch.Generator().manual_seed(0)
    spectra = torch.rand(12, 4, generator=generator, dtype=torch.float64)
    pixels = torch.rand(12, 30, generator=generator, dtype=torch.float64)
    found, _, _ = fully_constrained_abundances(spectra, pixels, iterations=20000, tolerance=1e-10)
    assert found.min() >= 0
    assert (found.sum(0) - 1).abs().max() < 1e-8
    gradient = spectra.T @ (spectra @ found - pixels)
    lowest = gradient.min(dim=0).values
    # Where an abundance is above zero its gradient is the least of its pixel.
    assert ((gradient - lowest) * found).abs().max() < 1e-7


def test_input_that_cannot_be_unmixed() -> None:
    with pytest.raises(SolverError, match="pixels that are all zero"):
        fully_constrained_abundances(torch.rand(4, 2), torch.zeros(4, 9))
    with pytest.raises(SolverError, match="give C x N and C x P"):
        fully_constrained_abundances(torch.rand(4, 2), torch.rand(5, 9))
