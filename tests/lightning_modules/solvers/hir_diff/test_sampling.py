"""One and two guided steps of all tasks beside the recorded ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers.hir_diff.band_selection import band_coefficients
from lightning_modules.solvers.hir_diff.guidance import (
    Guidance,
    denoising_guidance,
    inpainting_guidance,
    super_resolution_guidance,
)
from lightning_modules.solvers.hir_diff.restoration import DATA_UNIT, PUBLISHED, VARIATION_UNIT, Task
from lightning_modules.solvers.hir_diff.sampling import guided_step, reconstructed, reverse
from lightning_modules.solvers.hir_diff.schedule import remaining_signal, reverse_times
from tests.lightning_modules.solvers.hir_diff.recorded_step import RECORDED, observed, recorded_step, start


@pytest.mark.parametrize("task", RECORDED)
def test_recorded_steps(golden: ModuleType, shared: Path, task: Task) -> None:
    spec, outputs, network = recorded_step(golden, shared)
    name = RECORDED[task]
    observation, mask = observed(golden, task)
    coefficients = band_coefficients(observation[0])[0][None]
    assert golden.relative_error(coefficients, outputs[f"{name}:coefficient"]) < 1e-5
    settings = replace(PUBLISHED[task], reference_entries=46 * 256 * 256)
    scale = 31 * 16 * 16 / (46 * 256 * 256)
    data, variation = DATA_UNIT * settings.data_weight * scale, VARIATION_UNIT * settings.variation_weight * scale
    loss: Guidance
    if mask is not None:
        loss = inpainting_guidance(observation, mask, data, variation)
    elif task == "super_resolution":
        loss = super_resolution_guidance(observation, 4, data, variation)
    else:
        # The published weights are partly rounding noise, hence those that were recorded.
        weights = tuple(outputs[f"denoise:weight_d{axis}"] for axis in "xyz")
        loss = denoising_guidance(observation, data, variation, weights)
    signals = remaining_signal("exponential", decay=settings.decay)[reverse_times(1000, 20)].tolist()
    first = guided_step(network, start(spec), signals[0], signals[1], signals[0], coefficients, loss)
    second = guided_step(network, first.image, signals[1], signals[2], signals[1], coefficients, loss)
    assert golden.relative_error(first.denoised, outputs[f"{name}:first_x0"]) < 1e-5
    assert golden.relative_error(first.image, outputs[f"{name}:first"]) < 1e-5
    assert golden.relative_error(second.image, outputs[f"{name}:second"]) < 2e-5


def test_the_last_step_ends_at_its_estimate() -> None:
    image = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) - 0.5
    seen: list[torch.Tensor] = []
    ended = reverse(
        lambda x, _level: 0.1 * x,
        image,
        [0.5, 0.9],
        [0.5, 0.9],
        torch.eye(3)[None],
        lambda cube: 0 * cube.flatten(1).sum(1),
        lambda _number, step: seen.append(step.denoised),
    )
    assert torch.equal(ended, seen[-1])
    assert len(seen) == 2


def test_bands_and_coefficients_make_the_cube() -> None:
    coefficients = torch.rand(2, 5, 3)
    image = torch.rand(2, 3, 2, 2)
    expected = (image[1, :, 1, 0] + 1) / 2 @ coefficients[1].T
    assert (reconstructed(image, coefficients)[1, :, 1, 0] - expected).abs().max() < 1e-6
