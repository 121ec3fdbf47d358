"""HIR-Diff whole: a denoiser that knows the answer is followed, sizes, batches, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lightning_modules.solvers import SolverError
from lightning_modules.solvers.hir_diff.guidance import blurred_and_shrunk
from lightning_modules.solvers.hir_diff.restoration import PUBLISHED, HIRDiffSettings, Task, hir_diff
from tests.lightning_modules.solvers.hir_diff.recorded_step import tiny

FEW = replace(PUBLISHED["denoising"], steps=4, reference_entries=46 * 256 * 256)


def clean(scenes: int = 2, height: int = 12, width: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    spectra = 0.2 + 0.6 * torch.rand(7, 3, generator=generator)
    maps = torch.rand(scenes, 3, height, width, generator=generator)
    return torch.einsum("ck,bkhw->bchw", spectra, maps / maps.sum(1, keepdim=True))


@pytest.mark.parametrize("task", PUBLISHED)
def test_every_task_and_any_size(task: Task) -> None:
    truth = clean(1, 12, 20)
    observation = blurred_and_shrunk(truth, 4) if task == "super_resolution" else truth
    mask = (torch.rand(truth.shape, generator=torch.Generator().manual_seed(1)) > 0.3).float()
    told: list[tuple[int, int, float]] = []
    result = hir_diff(
        observation,
        tiny().eval(),
        task,
        mask=mask if task == "inpainting" else None,
        size_multiple=8,
        settings=FEW,
        progress=lambda *values: told.append(values),
    )
    assert result.restored.shape == truth.shape
    assert bool(torch.isfinite(result.restored).all())
    assert [one[:2] for one in told] == [(number, 4) for number in (1, 2, 3, 4)]
    assert result.iterations.tolist() == [4]


def test_the_data_pull_towards_the_observation() -> None:
    truth = clean()
    strong, weak = (
        hir_diff(
            truth, tiny().eval(), "denoising", size_multiple=4, settings=replace(FEW, data_weight=weight, steps=20)
        )
        for weight in (100.0, 0.0)
    )
    assert (strong.residual < 0.5 * weak.residual).all()


def test_a_scene_does_not_depend_on_its_batch() -> None:
    truth, network = clean().double(), tiny().double().eval()
    together = hir_diff(truth, network, "denoising", size_multiple=4, settings=FEW).restored
    for scene in (0, 1):
        alone = hir_diff(truth[[scene]], network, "denoising", size_multiple=4, settings=FEW).restored
        assert (alone[0] - together[scene]).abs().max() < 1e-9


def test_the_oracle_is_asked_only_where_it_is_given() -> None:
    truth, network = clean(), tiny().eval()
    settings = replace(FEW, steps=10)
    fair = hir_diff(truth, network, "denoising", size_multiple=4, settings=settings)
    informed = hir_diff(truth, network, "denoising", size_multiple=4, settings=settings, oracle=truth)
    errors = [(one.restored - truth).square().mean((-2, -1)).log().mean(1) for one in (informed, fair)]
    assert (errors[0] <= errors[1] + 1e-6).all()
    assert fair.iterations.tolist() == [10, 10]


def test_levels_and_seeds_count() -> None:
    truth, network = clean(1), tiny().eval()
    variants = [FEW, replace(FEW, level="root"), replace(FEW, seed=1), replace(FEW, selection="even")]
    results = [hir_diff(truth, network, "denoising", size_multiple=4, settings=one).restored for one in variants]
    assert all((one - results[0]).abs().max() > 1e-6 for one in results[1:])


def test_input_that_cannot_be_restored() -> None:
    truth, network = clean(), tiny()
    spoilt = truth.clone()
    spoilt[0, 1, 2, 3] = float("inf")
    with pytest.raises(SolverError, match="NaN or infinite values; repair or mask them"):
        hir_diff(spoilt, network, "denoising")
    with pytest.raises(SolverError, match="task denoising and a mask is given do not fit"):
        hir_diff(truth, network, "denoising", mask=truth)
    with pytest.raises(SolverError, match="task inpainting and a mask not given do not fit"):
        hir_diff(truth, network, "inpainting")
    with pytest.raises(SolverError, match=r"a mask of shape \[2, 1, 12, 20\]"):
        hir_diff(truth, network, "inpainting", mask=truth[:, :1])
    with pytest.raises(SolverError, match="give B x C x h x w floating point"):
        hir_diff(truth[0], network, "denoising")
    with pytest.raises(SolverError, match="knows no task 'dehazing'; take one of denoising"):
        hir_diff(truth, network, "dehazing")  # type: ignore[arg-type]
    with pytest.raises(SolverError, match="2000 steps of 1000 times"):
        hir_diff(truth, network, "denoising", settings=HIRDiffSettings(1.0, 1.0, 8.0, steps=2000))
