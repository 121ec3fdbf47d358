"""GSA beside the recorded output of its published code."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import torch

from lightning_modules.solvers import SpatialResponse, gsa
from tests.lightning_modules.solvers.fusion_cases import mean_psnr, pairs, recorded


def test_published_output(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "gsa")
    result = gsa(case.arrays["lr_a"][None], case.multispectral, ratio=4, phase=(1.5, 1.5))
    assert case.error(result, "out") < 1e-12
    assert abs(case.psnr(result) - case.spec["metrics"]["out"]["psnr"]) < 1e-4


def test_the_phase_of_the_observation_counts() -> None:
    first = SpatialResponse.gaussian(4, 7, 2.0, (0.0, 0.0))
    case = pairs(first, size=(32, 24))
    aligned, centred = (
        mean_psnr(gsa(case.observation, case.multispectral, ratio=4, phase=phase).restored, case.truth)
        for phase in (first.phase, (1.5, 1.5))
    )
    assert aligned > centred + 0.4


def test_constant_bands_and_channels_are_left_as_they_are() -> None:
    case = pairs(SpatialResponse.block_mean(4))
    observation, multispectral = case.observation.clone(), case.multispectral.clone()
    observation[:, 2], multispectral[:, 1] = 0.5, 0.25
    restored = gsa(observation, multispectral, ratio=4, phase=(1.5, 1.5)).restored
    assert (restored[:, 2] - 0.5).abs().max() < 1e-12
    assert bool(torch.isfinite(restored).all())
