"""FUSE beside recorded outputs, beside the normal equations it solves, and on other phases."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers import SolverError, SpatialResponse, fuse, fuse_blind
from lightning_modules.solvers.fuse import placements
from lightning_modules.solvers.resampling import enlarge_by_splines
from tests.lightning_modules.solvers.fusion_cases import mean_psnr, pairs, recorded


def test_published_output_with_known_sensors(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "fuse")
    blur = SpatialResponse.gaussian(4, 7, 2.0, (0.0, 0.0))
    result = fuse(case.arrays["lr_c"][None], case.multispectral, case.arrays["srf"], blur)
    assert case.error(result, "known") < 1e-7
    assert abs(case.psnr(result) - case.spec["metrics"]["known"]["psnr"]) < 1e-4


def test_published_output_of_the_toolbox(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "fuse")
    result = fuse_blind(case.arrays["lr_a"][None], case.multispectral, ratio=4, phase=(1.5, 1.5))
    assert case.error(result, "wrapper") < 1e-7
    assert abs(case.psnr(result) - case.spec["metrics"]["wrapper"]["psnr"]) < 1e-4


def test_the_prior_need_not_wrap(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "fuse")
    low = case.arrays["lr_a"][None]
    wrapped = fuse_blind(low, case.multispectral, ratio=4, phase=(1.5, 1.5))
    mirrored = fuse_blind(low, case.multispectral, ratio=4, phase=(1.5, 1.5), prior_wraps=False)
    assert case.psnr(mirrored) > case.psnr(wrapped) + 0.5


def test_normal_equations() -> None:
    """The gradient of the objective vanishes at the solution, written with plain loops over the linear maps."""
    blur = SpatialResponse.gaussian(3, 4, 1.1, (0.6, 0.6))
    case = pairs(blur, scenes=1, bands=6, size=(12, 15))
    low, high, response = case.observation[0] * 1e4, case.multispectral[0] * 1e4, case.response
    cube = fuse(case.observation, case.multispectral, response, blur, dimension=4, prior_wraps=False).restored[0] * 1e4
    pixels = low.flatten(1)
    values, vectors = torch.linalg.eigh(pixels @ pixels.T / pixels.shape[1])
    basis = (vectors * values.clamp_min(0).sqrt())[:, -4:]
    assert (cube.flatten(1) - basis @ (torch.linalg.pinv(basis) @ cube.flatten(1))).abs().max() < 1e-6

    coordinates = (torch.linalg.pinv(basis) @ cube.flatten(1)).view(4, 12, 15)
    prior = enlarge_by_splines((torch.linalg.pinv(basis) @ pixels).view(4, 4, 5), 3, blur.phase)
    transfer = blur.transfer(12, 15)

    def observed(images: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = torch.fft.ifft2(torch.fft.fft2(images) * transfer).real
        return seen[..., ::3, ::3]

    def adjoint(images: torch.Tensor) -> torch.Tensor:
        spread = torch.zeros(*images.shape[:-2], 12, 15, dtype=torch.float64)
        spread[..., ::3, ::3] = images
        back: torch.Tensor = torch.fft.ifft2(torch.fft.fft2(spread) * transfer.conj()).real
        return back

    fused = torch.einsum("cd,dhw->chw", basis, coordinates)
    first = torch.einsum("cd,chw->dhw", basis, adjoint(observed(fused) - low))
    second = torch.einsum("kd,khw->dhw", response @ basis, torch.einsum("kc,chw->khw", response, fused) - high)
    gradient = first + second + 1e-3 * (coordinates - prior)
    scale = torch.einsum("cd,chw->dhw", basis, adjoint(low)).norm()
    assert gradient.norm() / scale < 1e-7


def test_placements_average_to_the_phase() -> None:
    for ratio, phase in ((4, (1.5, 1.5)), (5, (2.0, 2.0)), (8, (3.25, 3.25))):
        found = placements(ratio, phase)
        assert sum(weight for _, weight in found) == pytest.approx(1)
        assert sum(weight * spatial.phase[0] for spatial, weight in found) == pytest.approx(phase[0])
        assert len(found) == (1 if ratio == 5 else 2)


def test_the_phase_of_the_observation_counts() -> None:
    first = SpatialResponse.gaussian(4, 7, 2.0, (0.0, 0.0))
    case = pairs(first, size=(32, 24))
    aligned, centred = (
        mean_psnr(fuse(case.observation, case.multispectral, case.response, blur, dimension=5).restored, case.truth)
        for blur in (first, SpatialResponse.gaussian(4, 7, 2.0, (1.5, 1.5)))
    )
    assert aligned > centred + 3


def test_a_subspace_above_the_bands_is_refused() -> None:
    case = pairs(SpatialResponse.block_mean(4))
    with pytest.raises(SolverError, match=r"dimension 15 for 9 bands; set its `dimension` .* to 1 to 9"):
        fuse_blind(case.observation, case.multispectral, ratio=4, phase=(1.5, 1.5))
