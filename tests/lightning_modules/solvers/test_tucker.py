"""Tucker approximation: exact where the rank suffices, optimal by sweeps where it does not."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.solvers.tucker import tucker_approximation


def test_a_cube_of_the_rank_is_kept() -> None:
    generator = torch.Generator().manual_seed(0)
    core = torch.randn(2, 2, 3, 4, generator=generator, dtype=torch.float64)
    factors = [
        torch.randn(size, rank, generator=generator, dtype=torch.float64) for size, rank in ((6, 2), (9, 3), (10, 4))
    ]
    cubes = torch.einsum("nabc,ia,jb,kc->nijk", core, *factors)
    assert torch.allclose(tucker_approximation(cubes, (2, 3, 4)), cubes, atol=1e-9)


def test_sweeps_improve_on_the_truncated_higher_order_svd() -> None:
    cubes = torch.randn(1, 6, 9, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    truncated = cubes
    for axis, rank in ((1, 2), (2, 3), (3, 4)):
        unfolded = cubes.movedim(axis, 1).flatten(2)
        left = torch.linalg.svd(unfolded, full_matrices=False)[0][..., :rank]
        moved = truncated.movedim(axis, 1)
        truncated = (left @ (left.mT @ moved.flatten(2))).view(moved.shape).movedim(1, axis)
    swept = tucker_approximation(cubes, (2, 3, 4))
    assert float((swept - cubes).norm()) < float((truncated - cubes).norm())
    for axis, rank in ((1, 2), (2, 3), (3, 4)):
        assert int(torch.linalg.matrix_rank(swept.movedim(axis, 1).flatten(2)[0], tol=1e-8)) == rank


def by_singular_vectors(cube: Tensor, ranks: tuple[int, int, int]) -> tuple[Tensor, int]:
    """The published sweeps in full cubes: rows, columns, bands; also how many there were."""

    def projected(part: Tensor, axis: int, vectors: Tensor) -> Tensor:
        product: Tensor = torch.tensordot(vectors @ vectors.mT, part, dims=([1], [axis]))
        return product.movedim(0, axis)

    def leading(part: Tensor, axis: int) -> Tensor:
        left: Tensor = torch.linalg.svd(part.movedim(axis, 0).flatten(1), full_matrices=False)[0]
        return left[:, : ranks[axis]]

    vectors = [leading(cube, axis) for axis in range(3)]
    before, sweeps = cube, 0
    for _ in range(6):
        sweeps += 1
        for axis in (1, 2, 0):
            part = cube
            for other in {0, 1, 2} - {axis}:
                part = projected(part, other, vectors[other])
            vectors[axis] = leading(part, axis)
        now = cube
        for axis in range(3):
            now = projected(now, axis, vectors[axis])
        change, before = (now - before).norm(), now
        if change <= 1e-3 * cube.norm():
            break
    return before, sweeps


def test_sweeps_are_those_of_full_cubes_and_end_when_theirs_do() -> None:
    generator = torch.Generator().manual_seed(0)
    ended = set()
    for noise in (0.0, 0.01, 0.1, 0.3, 1.0, 3.0):
        factors = [torch.randn(size, 3, generator=generator, dtype=torch.float64) for size in (6, 9, 10)]
        cube = torch.einsum("ia,ja,ka->ijk", *factors)
        cube += noise * torch.randn(cube.shape, generator=generator, dtype=torch.float64)
        expected, sweeps = by_singular_vectors(cube, (2, 3, 4))
        ended.add(sweeps)
        torch.testing.assert_close(tucker_approximation(cube[None], (2, 3, 4))[0], expected, rtol=0, atol=1e-9)
    assert len(ended) >= 3  # early, later, and not before the last one
