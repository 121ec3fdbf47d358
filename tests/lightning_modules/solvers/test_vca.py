"""VCA finds the pure pixels of exact mixtures, with and without noise."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers import SolverError
from lightning_modules.solvers.vca import vertex_components


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_pure_pixels(noise: float) -> None:
    generator = torch.Generator().manual_seed(1)
    spectra = torch.rand(20, 4, generator=generator, dtype=torch.float64)
    weights = torch.rand(4, 300, generator=generator, dtype=torch.float64) * 0.7 + 0.05
    weights[:, :4] = 4 * torch.eye(4)
    weights = weights / weights.sum(0)
    pixels = spectra @ weights + noise * torch.randn(20, 300, generator=generator, dtype=torch.float64)
    found = vertex_components(pixels, 4, torch.Generator().manual_seed(0))
    distances = torch.cdist(found.T, spectra.T).min(dim=0).values
    assert distances.max() < (1e-12 if noise == 0 else 0.15)


def test_more_endmembers_than_bands_are_refused() -> None:
    with pytest.raises(SolverError, match=r"7 endmembers of 50 pixels in 6 bands; set .* to 2 to 6"):
        vertex_components(torch.rand(6, 50), 7, torch.Generator())
