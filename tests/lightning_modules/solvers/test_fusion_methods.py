"""Fusion methods as modules give what their functions give, at the phase of the observation."""

from __future__ import annotations

import pytest
import torch

from lightning_modules import CNMF, FUSE, GSA, ICCV15, TrainingFreeFusion
from lightning_modules.solvers import SolverError, SpatialResponse, cnmf, fuse, fuse_blind, gsa, iccv15
from tests.lightning_modules.solvers.fusion_cases import pairs

BLUR = SpatialResponse.gaussian(4, 7, 2.0, (0.0, 0.0))
CASE = pairs(BLUR)
TOLD = {"blur": "gaussian", "kernel_size": 7, "sigma": 2.0}


def test_methods_are_their_functions() -> None:
    low, high = CASE.observation.float(), CASE.multispectral.float()
    toolbox = SpatialResponse.toolbox(4, (0.0, 0.0))
    expected = [
        (GSA(), gsa(low, high, ratio=4, phase=(0.0, 0.0))),
        (FUSE(dimension=4), fuse_blind(low, high, ratio=4, phase=(0.0, 0.0), dimension=4)),
        (FUSE(dimension=4, **TOLD), fuse(low, high, None, BLUR, dimension=4)),  # type: ignore[arg-type]
        (CNMF(endmembers=4, inner_iterations=10), cnmf(low, high, toolbox, endmembers=4, inner_iterations=10)),
        (ICCV15(endmembers=4, iterations=5, **TOLD), iccv15(low, high, BLUR, endmembers=4, iterations=5)),  # type: ignore[arg-type]
    ]
    for method, result in expected:
        assert torch.equal(method(low, high, phase=0.0), result.restored), type(method).__name__
        assert method.takes_phase


@pytest.mark.parametrize("method", [GSA(), FUSE(dimension=4), CNMF(endmembers=4), ICCV15(endmembers=4)])
def test_nobody_assumes_a_phase(method: TrainingFreeFusion) -> None:
    with pytest.raises(SolverError, match="was not told where the hyperspectral pixels lie"):
        method(CASE.observation, CASE.multispectral)


def test_rows_and_columns_may_lie_differently() -> None:
    moved = SpatialResponse.gaussian(4, 7, 2.0, (0.5, 2.0))
    case = pairs(moved, scenes=1)
    result = FUSE(dimension=4, **TOLD).solve(case.observation, case.multispectral, (0.5, 2.0))  # type: ignore[arg-type]
    expected = fuse(case.observation, case.multispectral, None, moved, dimension=4)
    assert torch.equal(result.restored, expected.restored)


def test_the_observed_blur_is_the_one_that_was_told() -> None:
    weights = (0.1, 0.2, 0.4, 0.2, 0.1)
    case = pairs(SpatialResponse.separable(weights, -2, 4), scenes=1)
    method = FUSE(dimension=4, blur="observed")
    with pytest.raises(SolverError, match="FUSE was not told the blur of the observations"):
        method(case.observation, case.multispectral, phase=0.0)
    method.observe_by(weights, -2)
    known = fuse(case.observation, case.multispectral, None, SpatialResponse.separable(weights, -2, 4), dimension=4)
    assert torch.equal(method(case.observation, case.multispectral, phase=0.0), known.restored)
    blind = FUSE(dimension=4)(case.observation, case.multispectral, phase=0.0)
    errors = [(result - case.truth).square().mean() for result in (known.restored, blind)]
    assert errors[0] < errors[1]


def test_a_blur_is_named_whole() -> None:
    with pytest.raises(SolverError, match="blur 'gaussian' with kernel_size=7 and sigma=None is not possible"):
        CNMF(blur="gaussian", kernel_size=7)
    with pytest.raises(SolverError, match="take toolbox or observed alone, or gaussian with both"):
        FUSE(blur="toolbox", kernel_size=7, sigma=2.0)
    assert "sigma=2.0" in repr(ICCV15(**TOLD))  # type: ignore[arg-type]
