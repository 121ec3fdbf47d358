"""Periodic differences beside their definition."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers.differences import adjoint_difference, difference, fourier_eigenvalues


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_adjoint(axis: int) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 4, 5, 6, generator=generator, dtype=torch.float64)
    assert torch.allclose((difference(first, axis) * second).sum(), (first * adjoint_difference(second, axis)).sum())
    assert difference(first, axis).select(axis, -1).equal(first.select(axis, 0) - first.select(axis, -1))


@pytest.mark.parametrize("shape", [(4, 5, 6), (3, 4, 7)])
def test_eigenvalues_multiply_the_spectrum(shape: tuple[int, int, int]) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    direct = sum(adjoint_difference(difference(values, axis), axis) for axis in range(3))
    spectrum = torch.fft.rfftn(values) * fourier_eigenvalues(shape, values)
    assert torch.allclose(torch.fft.irfftn(spectrum, s=shape), torch.as_tensor(direct))
