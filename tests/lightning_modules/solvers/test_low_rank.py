"""Low-rank parts from Gram matrices beside the singular value decomposition."""

from __future__ import annotations

import torch

from lightning_modules.solvers.low_rank import leading_directions, nearest_orthonormal, truncated


def test_truncation_is_that_of_the_singular_value_decomposition() -> None:
    matrix = torch.randn(2, 9, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    wanted = left[..., :4] @ (values[..., :4, None] * right[..., :4, :])
    assert torch.allclose(truncated(matrix, 4), wanted, atol=1e-11)
    assert torch.allclose(leading_directions(matrix, 4)[1], values, rtol=1e-10)


def test_float32_keeps_what_float32_can_hold() -> None:
    """Directions 1e-4 of the largest: their squares are lost in a Gram matrix of float32, but not in one of float64."""
    generator = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))
    rows, _ = torch.linalg.qr(torch.randn(40_000, 6, generator=generator, dtype=torch.float64))
    sizes = torch.tensor([1.0, 0.5, 1e-3, 5e-4, 2e-4, 1e-4], dtype=torch.float64)
    directions, values = leading_directions(((basis * sizes) @ rows.mT).float(), 6)
    assert torch.allclose(values.double(), sizes, rtol=1e-2)
    assert float((directions.double().mT @ basis).abs().diagonal().min()) > 0.999


def test_nearest_orthonormal_is_the_polar_factor() -> None:
    matrix = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.allclose(nearest_orthonormal(matrix), left @ right, atol=1e-11)


def test_open_directions_are_the_first_unit_vectors() -> None:
    assert torch.allclose(nearest_orthonormal(torch.zeros(5, 3)), torch.eye(5, 3))
    one = torch.zeros(5, 3, dtype=torch.float64)
    one[4, 0] = 2
    factor = nearest_orthonormal(one)
    assert torch.allclose(factor.mT @ factor, torch.eye(3, dtype=torch.float64))
    assert torch.allclose(factor[:, 0], one[:, 0] / 2, atol=1e-9)
