"""Band-wise noise beside the noise that was drawn."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers.noise_estimate import band_noise
from lightning_modules.solvers.result import SolverError
from tests.lightning_modules.solvers.scenes import clean_scene


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gaussian_noise_of_every_band_is_found() -> None:
    deviations = torch.tensor([0.01, 0.05, 0.1, 0.3], dtype=torch.float64)
    observed = clean_scene(4, 64, 63) + deviations[:, None, None] * noise((1, 4, 64, 63))
    assert torch.allclose(band_noise(observed)[0], deviations, rtol=0.06)


def test_it_is_the_median_of_the_diagonal_haar_details() -> None:
    observed = noise((5, 7))
    details = [
        abs(float(observed[r, c] - observed[r, c + 1] - observed[r + 1, c] + observed[r + 1, c + 1])) / 2
        for r in (0, 2)
        for c in (0, 2, 4)
    ]
    assert float(band_noise(observed)) == pytest.approx(sorted(details)[2] / 0.6744897501960817)


@pytest.mark.parametrize("kind", ["stripes", "deadlines", "impulses"])
def test_outliers_do_not_count_as_noise(kind: str) -> None:
    observed = 0.5 + 0.05 * noise((1, 3, 64, 64))
    if kind == "stripes":
        observed[..., 5::9] += 0.25
    elif kind == "deadlines":
        observed[..., 5::12] = 0
    else:
        observed[..., ::7, ::11] = 1
    assert torch.allclose(band_noise(observed), torch.full((1, 3), 0.05, dtype=torch.float64), rtol=0.2)


def test_scale_and_floor() -> None:
    observed = noise((2, 3, 16, 16))
    assert torch.allclose(band_noise(3 * observed), 3 * band_noise(observed))
    assert torch.equal(band_noise(torch.ones(1, 2, 8, 8), floor=0.01), torch.full((1, 2), 0.01))


def test_an_image_without_a_detail_is_refused() -> None:
    with pytest.raises(SolverError, match="noise is estimated from 2 x 2 pixels, but the images are 1 x 8"):
        band_noise(torch.zeros(1, 3, 1, 8))
