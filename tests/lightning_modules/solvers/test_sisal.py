"""SISAL finds the corners of a simplex that has no pure pixels, where VCA cannot."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers import SolverError
from lightning_modules.solvers.sisal import minimum_volume_endmembers
from lightning_modules.solvers.vca import vertex_components


def cut_simplex() -> tuple[torch.Tensor, torch.Tensor]:
    """Spectra, and mixtures of them of which none is purer than 85 %."""
    generator = torch.Generator().manual_seed(2)
    spectra = torch.rand(15, 3, generator=generator, dtype=torch.float64)
    weights = torch.rand(3, 20000, generator=generator, dtype=torch.float64).log()
    weights = weights / weights.sum(0)
    weights = weights[:, weights.max(0).values < 0.85][:, :3000]
    return spectra, spectra @ weights


def test_corners_outside_of_the_data() -> None:
    spectra, pixels = cut_simplex()
    generator = torch.Generator().manual_seed(0)
    found = minimum_volume_endmembers(pixels, 3, generator, price=10.0, iterations=300)
    pixel_corners = vertex_components(pixels, 3, generator)
    errors = [float(torch.cdist(ends.T, spectra.T).min(0).values.max()) for ends in (found, pixel_corners)]
    assert errors[0] < 0.1 * errors[1]
    # Without the corners' own pixels the simplex is still that of the data: abundances are hardly negative.
    assert (torch.linalg.pinv(found) @ pixels).min() > -0.02


def test_pixels_of_fewer_dimensions_are_refused() -> None:
    _, pixels = cut_simplex()
    with pytest.raises(SolverError, match="span fewer dimensions; set the solver's `endmembers`"):
        minimum_volume_endmembers(pixels, 6, torch.Generator())
    with pytest.raises(SolverError, match="16 endmembers of 3000 pixels in 15 bands"):
        minimum_volume_endmembers(pixels, 16, torch.Generator())
