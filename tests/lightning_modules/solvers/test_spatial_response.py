"""Blur and sampling beside their definitions, beside Fourier space, and beside the toolbox's rule for the border."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers import SolverError, SpatialResponse
from tests.lightning_modules.solvers.fusion_cases import recorded


@pytest.mark.parametrize("ratio", [2, 3, 5])
def test_every_pixel_weighs_its_neighbourhood(ratio: int) -> None:
    image = torch.rand(4 * ratio, 5 * ratio, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    blur = SpatialResponse.gaussian(ratio, 6, 1.7, (0.7, 1.4))
    padded = torch.cat([image.flip(0), image, image.flip(0)])
    padded = torch.cat([padded.flip(1), padded, padded.flip(1)], dim=1)
    reduced = blur.reduce(image[None])[0]
    for row in range(4):
        for column in range(5):
            top = image.shape[0] + row * ratio + blur.first[0]
            left = image.shape[1] + column * ratio + blur.first[1]
            expected = (padded[top : top + 6, left : left + 6] * blur.kernel).sum()
            assert abs(float(reduced[row, column] - expected)) < 1e-13


def test_away_from_the_border_it_is_a_product_of_transforms() -> None:
    image = torch.rand(24, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    blur = SpatialResponse.gaussian(4, 7, 1.7, (1.5, 0.0))
    circular = torch.fft.ifft2(torch.fft.fft2(image) * blur.transfer(24, 32)).real[::4, ::4]
    assert (circular - blur.reduce(image[None])[0])[1:-1, 1:-1].abs().max() < 1e-13


def test_recorded_observations(golden: ModuleType, shared: Path) -> None:
    case = recorded(golden, shared, "gsa")
    # The recipe rounds the width of the Gaussian to six digits.
    assert (SpatialResponse.toolbox(4).reduce(case.truth) - case.arrays["lr_a"]).abs().max() < 1e-8
    case = recorded(golden, shared, "iccv15")
    assert (SpatialResponse.block_mean(4).reduce(case.truth) - case.arrays["lr_b"]).abs().max() < 1e-12


def test_what_is_no_kernel_is_refused() -> None:
    with pytest.raises(SolverError, match="sums to 9; give m x n weights that sum to 1"):
        SpatialResponse(torch.ones(3, 3), (0, 0), 2)
    with pytest.raises(SolverError, match="ratio of a spatial response is 0"):
        SpatialResponse(torch.ones(1, 1), (0, 0), 0)
