"""The spectral response from a pair: exact where the pair is, with any offset, never negative."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers import SolverError, SpatialResponse
from lightning_modules.solvers.response_estimation import estimate_response
from tests.lightning_modules.solvers.fusion_cases import recorded


def test_recorded_estimate(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "cnmf")
    reduced = SpatialResponse.toolbox(4).reduce(case.arrays["msi"])
    response, offset = estimate_response(case.arrays["lr_a"], reduced)
    # The recipe rounds the width of the Gaussian to six digits.
    assert (response - case.arrays["cnmf_estimated_srf"][:, :-1]).abs().max() < 1e-7
    assert offset.abs().max() < 1e-7


def test_offset_and_signs() -> None:
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(6, 8, 9, generator=generator, dtype=torch.float64)
    response = torch.tensor([[0.2, 0.3, 0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.25, 0.0]], dtype=torch.float64)
    channels = torch.einsum("kc,chw->khw", response, low) + torch.tensor([-0.3, 0.7])[:, None, None]
    found, offset = estimate_response(low, channels)
    assert (found - response).abs().max() < 1e-12
    assert (offset - torch.tensor([-0.3, 0.7])).abs().max() < 1e-6
    negative, _ = estimate_response(low, -channels)
    assert (negative >= 0).all()


def test_two_grids_are_refused() -> None:
    with pytest.raises(SolverError, match="have \\[4, 4\\] and \\[8, 8\\] pixels"):
        estimate_response(torch.rand(3, 4, 4), torch.rand(2, 8, 8))
