"""The virtual dimension counts the sources that were mixed."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers.virtual_dimension import virtual_dimension


@pytest.mark.parametrize("sources", [2, 5])
def test_sources_are_counted(sources: int) -> None:
    generator = torch.Generator().manual_seed(0)
    # Disjoint spectra: each source lifts the second moment by its own mean.
    spectra = torch.eye(sources, dtype=torch.float64).repeat_interleave(8, dim=0)
    weights = 0.5 + torch.rand(sources, 4000, generator=generator, dtype=torch.float64)
    pixels = spectra @ weights
    pixels = pixels + 1e-3 * torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
    assert 1 <= virtual_dimension(pixels) <= sources
    assert virtual_dimension(torch.randn(12, 4000, generator=generator, dtype=torch.float64)) <= 2
