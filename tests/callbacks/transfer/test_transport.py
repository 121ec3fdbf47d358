"""The operator T = B A against its explicit matrix (Eq. 25-26, supplement S1)."""

import pytest
import torch
from torch import Tensor

from callbacks.transfer import TransportOperator, transport
from callbacks.transfer.stencil import interpolate

HEIGHT, WIDTH, KEEP, SIZE = 9, 11, 5, 5


@pytest.fixture
def operator() -> TransportOperator:
    generator = torch.Generator().manual_seed(0)
    candidates = torch.randint(0, HEIGHT * WIDTH, (KEEP, HEIGHT, WIDTH), generator=generator)
    logits = torch.randn(KEEP + SIZE**2, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    return TransportOperator(candidates, logits[:KEEP].softmax(0), logits[KEEP:].softmax(0))


def random_cube(bands: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(bands, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)


def test_apply_and_adjoint_equal_the_matrix(operator: TransportOperator) -> None:
    cube, matrix = random_cube(4, 1), operator.to_sparse().to_dense()
    assert torch.allclose(operator.apply(cube).flatten(1), cube.flatten(1) @ matrix.t(), atol=1e-13)
    assert torch.allclose(operator.adjoint(cube).flatten(1), cube.flatten(1) @ matrix, atol=1e-13)


def test_matrix_is_built_from_the_definition(operator: TransportOperator) -> None:
    count = HEIGHT * WIDTH
    aggregate, stencil = torch.zeros(2, count, count, dtype=torch.float64)
    for pixel in range(count):
        y, x = divmod(pixel, WIDTH)
        for k in range(KEEP):
            aggregate[pixel, operator.candidates[k, y, x]] += operator.aggregation[k, y, x]
        for index in range(SIZE**2):
            row = min(max(y + index // SIZE - 2, 0), HEIGHT - 1)
            column = min(max(x + index % SIZE - 2, 0), WIDTH - 1)
            stencil[pixel, row * WIDTH + column] += operator.interpolation[index, y, x]
    assert torch.allclose(operator.to_sparse().to_dense(), stencil @ aggregate, atol=1e-14)


def test_adjointness(operator: TransportOperator) -> None:
    cube, other = random_cube(3, 2), random_cube(3, 3)
    left, right = (operator.apply(cube) * other).sum(), (cube * operator.adjoint(other)).sum()
    assert abs(float(left - right)) < 1e-11


def test_rows_are_stochastic_nonnegative_and_sparse(operator: TransportOperator) -> None:
    matrix = operator.to_sparse().to_dense()
    assert torch.allclose(operator.row_sums(), torch.ones(HEIGHT, WIDTH, dtype=torch.float64), atol=1e-14)
    assert matrix.min() >= 0
    support = operator.support()
    assert torch.equal(support.flatten(), (matrix > 0).sum(1))
    assert int(support.max()) <= KEEP * SIZE**2


def test_values_stay_within_those_of_the_proxy(operator: TransportOperator) -> None:
    cube = random_cube(4, 4)
    moved = operator.apply(cube).flatten(1)
    assert (moved.amax(1) <= cube.flatten(1).amax(1)).all()
    assert (moved.amin(1) >= cube.flatten(1).amin(1)).all()


def test_kappa_is_the_largest_squared_singular_value(operator: TransportOperator) -> None:
    largest = torch.linalg.svdvals(operator.to_sparse().to_dense())[0]
    assert abs(operator.kappa(500, 1e-10) / float(largest**2) - 1) < 1e-4


def test_power_iteration_stops_where_nothing_changes(
    operator: TransportOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    adjoint = TransportOperator.adjoint

    def counted(self: TransportOperator, cube: Tensor) -> Tensor:
        steps.append(1)
        return adjoint(self, cube)

    largest = float(torch.linalg.svdvals(operator.to_sparse().to_dense())[0] ** 2)
    monkeypatch.setattr(TransportOperator, "adjoint", counted)
    assert operator.kappa() == pytest.approx(largest, rel=1e-3)
    assert 3 < len(steps) < 100
    pixels, ones = torch.arange(HEIGHT * WIDTH).view(1, HEIGHT, WIDTH), torch.ones(1, HEIGHT, WIDTH)
    steps.clear()
    assert TransportOperator(pixels, ones, ones).kappa() == pytest.approx(1.0)
    assert len(steps) == 2


@pytest.mark.parametrize(("block", "rows"), [(2 * WIDTH + 1, [2, 2, 2, 2, 1]), (WIDTH - 1, [1] * 9), (10**4, [9])])
def test_rows_are_interpolated_in_blocks(
    operator: TransportOperator, monkeypatch: pytest.MonkeyPatch, block: int, rows: list[int]
) -> None:
    cube, found = random_cube(2, 6), []
    expected = operator.apply(cube)

    def watched(shifted: Tensor, *rest: Tensor) -> None:
        found.append(shifted.shape[-2])
        interpolate(shifted, *rest)

    monkeypatch.setattr(transport, "_BLOCK", block)
    monkeypatch.setattr(transport, "interpolate", watched)
    torch.testing.assert_close(operator.apply(cube), expected, rtol=1e-14, atol=1e-15)
    assert found == rows


def test_a_permutation_has_kappa_one_and_its_own_displacement() -> None:
    pixels = torch.arange(HEIGHT * WIDTH).view(1, HEIGHT, WIDTH)
    shifted = TransportOperator(pixels.roll(-2, 2), torch.ones(1, HEIGHT, WIDTH), torch.ones(1, HEIGHT, WIDTH))
    assert abs(shifted.kappa() - 1) < 1e-5
    displacement = shifted.displacement()
    assert displacement[0].abs().max() == 0
    assert torch.equal(displacement[1, :, :-2], torch.full((HEIGHT, WIDTH - 2), 2.0))
    cube = random_cube(2, 5).float()
    assert torch.equal(shifted.apply(cube), cube.roll(-2, 2))


def test_another_size_is_refused_in_a_sentence(operator: TransportOperator) -> None:
    with pytest.raises(ValueError, match=r"works on cubes of C x 9 x 11, got 4 x 9 x 12: pass the proxy"):
        operator.apply(torch.rand(4, 9, 12))
