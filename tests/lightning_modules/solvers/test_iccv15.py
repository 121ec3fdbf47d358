"""ICCV15 beside the recorded output of its published code."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers import SolverError, SpatialResponse, iccv15
from tests.lightning_modules.solvers.fusion_cases import mean_psnr, pairs, recorded

BLOCKS = SpatialResponse.block_mean(4)


def test_published_output_from_its_start(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "iccv15")
    result = iccv15(
        case.arrays["lr_b"][None],
        case.multispectral,
        BLOCKS,
        response=case.arrays["srf"],
        endmembers=case.arrays["E0"],
        # Pixels were counted column by column.
        abundances=case.arrays["AS0"].view(10, 16, 16).mT,
    )
    assert case.error(result, "out") < 1e-10
    assert int(result.iterations) == case.spec["outputs"]["iterations"]
    assert result.converged.tolist() == [True]
    assert abs(case.psnr(result) - case.spec["metrics"]["out"]["psnr"]) < 1e-4


def test_an_own_start_gets_as_far(golden: ModuleType, shared: Path) -> None:
    """With a tenth of the precision, to be quick; the recorded runs end 1.5 dB higher, as ours do at full precision."""
    case = recorded(golden, shared, "iccv15")
    result = iccv15(case.arrays["lr_b"][None], case.multispectral, BLOCKS, response=case.arrays["srf"], tolerance=1e-3)
    assert case.psnr(result) > min(case.spec["spread"]["psnr"]) - 2


def test_spectra_and_abundances_stay_in_their_sets() -> None:
    case = pairs(BLOCKS, size=(32, 24))
    told: list[tuple[int, int, float]] = []
    result = iccv15(
        case.observation,
        case.multispectral,
        BLOCKS,
        endmembers=4,
        iterations=20,
        tolerance=None,
        progress=lambda *values: told.append(values),
    )
    assert result.restored.min() >= 0
    assert result.restored.max() <= 1 + 1e-9
    assert result.converged.tolist() == [True, True]
    assert [one[0] for one in told] == [*range(1, 21)] * 2
    assert mean_psnr(result.restored, case.truth) > 30


def test_a_stop_by_exhaustion_is_said() -> None:
    case = pairs(BLOCKS, scenes=1)
    result = iccv15(case.observation, case.multispectral, BLOCKS, response=case.response, endmembers=4, iterations=2)
    assert "ICCV15 did not meet its stopping rule for 1 of 1 scenes" in result.unconverged("ICCV15")


def test_input_that_cannot_be_unmixed() -> None:
    case = pairs(BLOCKS)
    with pytest.raises(SolverError, match=r"10 endmembers of 24 pixels in 9 bands; set .* to 2 to 9"):
        iccv15(case.observation, case.multispectral, BLOCKS)
    with pytest.raises(SolverError, match="0 iterations; give at least 1"):
        iccv15(case.observation, case.multispectral, BLOCKS, iterations=0)
    with pytest.raises(SolverError, match="shape"):
        iccv15(case.observation, case.multispectral, BLOCKS, endmembers=torch.rand(8, 4))
