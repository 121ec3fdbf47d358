"""Linear operators: adjoints, boundaries, sparse rows."""

from typing import Any

import numpy as np
import pytest
import torch

from datamodules.degradations import (
    BandMissing,
    BicubicDownsampling,
    GaussianBlurring,
    LinearOperator,
    Masking,
    RandomMask,
    bicubic_resize,
)
from datamodules.degradations.operators import BOUNDARIES, SparseRows, boundary_index, matrix_from_taps

SIZES = [(13, 16), (16, 13), (12, 20), (5, 4), (1, 3)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_adjoint(operator: LinearOperator, shape: tuple[int, ...]) -> None:
    """Check <A x, y> = <x, A^T y> on random cubes, in float64."""
    x = torch.randn(shape, dtype=torch.float64, generator=seeded(1))
    forward = operator.apply(x)
    y = torch.randn(forward.shape, dtype=torch.float64, generator=seeded(2))
    backward = operator.adjoint(y)
    assert backward.shape == x.shape
    left, right = (forward * y).sum().item(), (x * backward).sum().item()
    assert left == pytest.approx(right, rel=1e-12, abs=1e-12 * (forward.norm() * y.norm()).item())


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("size", SIZES)
def test_adjoint_of_blur(boundary: str, size: tuple[int, int]) -> None:
    degradation = GaussianBlurring(7, boundary=boundary)
    assert_adjoint(degradation.draw((3, *size), seeded(0)), (3, *size))


@pytest.mark.parametrize("convention", ["matlab", "align_corners"])
@pytest.mark.parametrize(("scale", "size"), [(4, (12, 20)), (2, (6, 14)), (3, (15, 9)), (1, (5, 7)), (4, (4, 4))])
def test_adjoint_of_downsampling(convention: str, scale: int, size: tuple[int, int]) -> None:
    degradation = BicubicDownsampling(scale, convention)
    assert_adjoint(degradation.draw((3, *size), seeded(0)), (3, *size))


@pytest.mark.parametrize("convention", ["matlab", "align_corners"])
def test_adjoint_of_resizing_to_any_size(convention: str) -> None:
    assert_adjoint(bicubic_resize(7, 10, 16, 5, convention), (2, 7, 10))
    assert_adjoint(bicubic_resize(4, 5, 16, 20, convention), (2, 4, 5))


@pytest.mark.parametrize("degradation", [BandMissing(), RandomMask(), RandomMask(0.5, "pixel")], ids=repr)
@pytest.mark.parametrize("size", SIZES)
def test_adjoint_of_masks(degradation: BandMissing | RandomMask, size: tuple[int, int]) -> None:
    assert_adjoint(degradation.draw((7, *size), seeded(0)), (7, *size))


def test_a_wrong_adjoint_would_be_found() -> None:
    class Wrong(Masking):
        def adjoint(self, observation: torch.Tensor) -> torch.Tensor:
            return observation

    with pytest.raises(AssertionError):
        assert_adjoint(Wrong(RandomMask(0.5).draw((3, 8, 8), seeded(0)).mask), (3, 8, 8))


def test_operators_pass_gradients_and_take_batches() -> None:
    operator = GaussianBlurring(5).draw((3, 8, 9), seeded(0))
    batch = torch.rand(2, 3, 8, 9, dtype=torch.float64, generator=seeded(0), requires_grad=True)
    weight = torch.rand(2, 3, 8, 9, dtype=torch.float64, generator=seeded(1))
    (operator.apply(batch) * weight).sum().backward()
    torch.testing.assert_close(batch.grad, operator.adjoint(weight), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(operator.apply(batch)[1], operator.apply(batch[1]), rtol=0, atol=0)


@pytest.mark.parametrize("boundary", ["replicate", "reflect", "symmetric", "circular"])
def test_boundary_rules_are_those_of_numpy_pad(boundary: str) -> None:
    mode: Any = {"replicate": "edge", "circular": "wrap"}.get(boundary, boundary)
    for size in (2, 3, 7):
        expected = np.pad(np.arange(size), 25, mode=mode)
        assert boundary_index(torch.arange(-25, size + 25), size, boundary).tolist() == expected.tolist()
    assert boundary_index(torch.arange(-4, 5), 1, boundary).tolist() == [0] * 9


def test_sparse_rows_equal_the_dense_matrix() -> None:
    matrix = torch.randn(6, 9, dtype=torch.float64, generator=seeded(3))
    matrix[torch.rand(6, 9, generator=seeded(4)) < 0.6] = 0.0
    matrix[2] = 0.0
    cube = torch.randn(2, 9, 5, dtype=torch.float64, generator=seeded(5))
    rows = SparseRows(matrix)
    assert rows.columns.shape[0] == int((matrix != 0).sum(dim=1).max())
    torch.testing.assert_close(rows.along_rows(cube), matrix @ cube, rtol=1e-12, atol=1e-14)
    other = torch.randn(2, 6, 5, dtype=torch.float64, generator=seeded(6))
    torch.testing.assert_close(rows.transposed.along_rows(other), matrix.t() @ other, rtol=1e-12, atol=1e-14)


def test_taps_outside_count_by_boundary() -> None:
    index, weights = torch.tensor([[-1, 0, 1], [0, 1, 2]]), torch.tensor([[1.0, 2.0, 4.0]] * 2, dtype=torch.float64)
    assert matrix_from_taps(index, weights, 2, "zero").tolist() == [[2, 4], [1, 2]]
    assert matrix_from_taps(index, weights, 2, "replicate").tolist() == [[3, 4], [1, 6]]
    assert matrix_from_taps(index, weights, 2, "reflect").tolist() == [[2, 5], [5, 2]]
    assert matrix_from_taps(index, weights, 2, "circular").tolist() == [[2, 5], [5, 2]]
