"""Tucker approximation: exact where the rank suffices, optimal by sweeps where it does not."""

from __future__ import annotations

import torch

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
