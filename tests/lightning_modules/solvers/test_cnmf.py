"""CNMF beside the recorded output of its published code."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers import SolverError, SpatialResponse, cnmf
from tests.lightning_modules.solvers.fusion_cases import mean_psnr, pairs, recorded


def test_published_output_from_its_endmembers(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "cnmf")
    told: list[tuple[int, int, float]] = []
    result = cnmf(
        case.arrays["lr_a"][None],
        case.multispectral,
        SpatialResponse.toolbox(4),
        endmembers=case.arrays["cnmf_endmembers"],
        progress=lambda *values: told.append(values),
    )
    assert case.error(result, "out") < 1e-7
    assert abs(case.psnr(result) - case.spec["metrics"]["out"]["psnr"]) < 1e-4
    assert (told[-1][0], told[-1][1], result.iterations.tolist()) == (1597, 1597, [1597])
    assert not bool(result.converged)
    assert "after 1597 iterations" in result.unconverged("CNMF")


def test_own_endmembers_are_as_good(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "cnmf")
    result = cnmf(case.arrays["lr_a"][None], case.multispectral, SpatialResponse.toolbox(4), seed=1)
    assert min(case.spec["spread"]["psnr"]) - 0.1 < case.psnr(result) < max(case.spec["spread"]["psnr"]) + 0.1


def test_more_than_three_channels_share_the_endmembers() -> None:
    case = pairs(SpatialResponse.block_mean(4), scenes=1, channels=5, size=(32, 24))
    few = cnmf(case.observation, case.multispectral[:, :3], SpatialResponse.block_mean(4), endmembers=4)
    many = cnmf(case.observation, case.multispectral, SpatialResponse.block_mean(4), endmembers=4)
    assert min(mean_psnr(result.restored, case.truth) for result in (few, many)) > 33
    assert not torch.equal(few.iterations, many.iterations)


def test_a_loose_tolerance_ends_early() -> None:
    case = pairs(SpatialResponse.block_mean(4), scenes=1)
    result = cnmf(case.observation, case.multispectral, SpatialResponse.block_mean(4), endmembers=4, tolerance=1e-2)
    assert result.converged.tolist() == [True]
    # The first fine abundances always take all their updates.
    assert 200 < int(result.iterations) < 800


def test_input_that_cannot_be_unmixed() -> None:
    case = pairs(SpatialResponse.block_mean(4))
    with pytest.raises(SolverError, match=r"10 endmembers of 24 pixels in 9 bands; set .* to 2 to 9"):
        cnmf(case.observation, case.multispectral, SpatialResponse.block_mean(4), endmembers=10)
    with pytest.raises(SolverError, match="endmembers of shape \\[8, 4\\] for 9 bands"):
        cnmf(case.observation, case.multispectral, SpatialResponse.block_mean(4), endmembers=torch.rand(8, 4))
    with pytest.raises(SolverError, match="0 inner and 1 outer iterations"):
        cnmf(case.observation, case.multispectral, SpatialResponse.block_mean(4), inner_iterations=0)
