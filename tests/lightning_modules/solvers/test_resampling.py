"""Resampling between grids: ramps stay ramps on every phase, and block centres are MATLAB's imresize."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.upsampled import upsample_bicubic
from lightning_modules.solvers.resampling import block_phase, enlarge, enlarge_by_splines, shrink
from lightning_modules.solvers.spatial_response import SpatialResponse

RATIOS = (2, 3, 5, 7, 8)


def ramp(height: int, width: int) -> torch.Tensor:
    rows, columns = torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64)
    return (0.3 * rows[:, None] - 0.2 * columns)[None]


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("phase", [(0.0, 0.0), (0.5, 1.25)])
def test_an_enlarged_ramp_is_the_ramp(ratio: int, phase: tuple[float, float]) -> None:
    fine = ramp(8 * ratio, 9 * ratio)
    rows, columns = (start + ratio * torch.arange(count).double() for start, count in zip(phase, (8, 9), strict=True))
    coarse = (0.3 * rows[:, None] - 0.2 * columns)[None]
    inner = (..., slice(2 * ratio, -3 * ratio), slice(2 * ratio, -3 * ratio))
    assert (enlarge(coarse, ratio, phase) - fine)[inner].abs().max() < 1e-12
    middle = (..., slice(3 * ratio, 5 * ratio), slice(3 * ratio, 5 * ratio))
    # Through a mirrored rim a spline rings, by a factor of 2 - sqrt(3) a pixel.
    assert (enlarge_by_splines(coarse, ratio, phase) - fine)[middle].abs().max() < 0.02 * ratio
    assert (shrink(fine, ratio, phase, "linear") - coarse)[..., 2:-2, 2:-2].abs().max() < 0.02 * ratio


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(
    "spatial",
    [
        lambda ratio: SpatialResponse.gaussian(ratio, 7, 3.0, (0.0, 0.0)),
        SpatialResponse.toolbox,
        SpatialResponse.block_mean,
        lambda ratio: SpatialResponse.gaussian(ratio, 6, 1.3, (1.3, 0.2)),
    ],
)
def test_an_observed_ramp_enlarged_on_its_phase_is_the_ramp(ratio: int, spatial: object) -> None:
    blur = spatial(ratio)  # type: ignore[operator]
    fine = ramp(12 * ratio, 12 * ratio)
    inner = (..., slice(4 * ratio, -4 * ratio), slice(4 * ratio, -4 * ratio))
    assert (enlarge(blur.reduce(fine), ratio, blur.phase) - fine)[inner].abs().max() < 1e-9


@pytest.mark.parametrize("ratio", RATIOS)
def test_block_centres_are_imresize(ratio: int) -> None:
    images = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (enlarge(images, ratio, block_phase(ratio)) - upsample_bicubic(images, ratio)).abs().max() < 1e-14


def test_splines_pass_through_the_pixels() -> None:
    images = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (enlarge_by_splines(images, 4, (1.0, 2.0))[..., 1::4, 2::4] - images).abs().max() < 1e-14
