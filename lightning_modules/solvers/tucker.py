"""Low-rank Tucker approximation of cubes by higher-order orthogonal iteration (HOOI).

Factors come from the eigenvectors of the unfoldings' Gram matrices. Along rows and columns a noisy cube's spectrum is
dense, so a factor is only defined to about 1e-16 times the squared ratio of the largest singular value to a gap: work
in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.solvers.low_rank import leading_directions

__all__ = ["tucker_approximation"]

SWEEPS, LEAST_CHANGE = 6, 1e-3
ORDER = (2, 3, 1)
"""A sweep goes over rows, columns, bands of `B x C x H x W`."""


def tucker_approximation(cubes: Tensor, ranks: tuple[int, int, int]) -> Tensor:
    """Return an approximation of multilinear rank, as the published LRTDTV computes it.

    Starts from the leading left vectors of the cubes' own unfoldings, then does at most 6 sweeps; a cube stops when the
    norm of its change is at most 1e-3 of its own norm, the first change being that from the cube itself.

    Args:
        cubes: `B x C x H x W`.
        ranks: of bands, rows and columns; as many as there are, or fewer.
    """
    factors = [_factor(cubes, axis, rank) for axis, rank in enumerate(ranks, start=1)]
    result = cubes
    norms = torch.linalg.vector_norm(cubes, dim=(1, 2, 3))
    going = torch.ones(len(cubes), dtype=torch.bool, device=cubes.device)
    for _ in range(SWEEPS):
        for axis in ORDER:
            part = cubes
            for other in (1, 2, 3):
                if other != axis:
                    part = _multiplied(part, factors[other - 1].mT, other)
            factors[axis - 1] = _factor(part, axis, ranks[axis - 1])
        expanded = _multiplied(part, factors[ORDER[-1] - 1].mT, ORDER[-1])
        for axis in (1, 2, 3):
            expanded = _multiplied(expanded, factors[axis - 1], axis)
        change = torch.linalg.vector_norm(expanded - result, dim=(1, 2, 3))
        result = torch.where(going[:, None, None, None], expanded, result)
        going = going & (change > LEAST_CHANGE * norms)
        if not bool(going.any()):
            break
    return result


def _factor(cubes: Tensor, axis: int, rank: int) -> Tensor:
    """Leading left singular vectors of the unfoldings along an axis, `B x size x rank`."""
    vectors, _ = leading_directions(cubes.movedim(axis, 1).flatten(2), rank)
    return vectors


def _multiplied(cubes: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Multiply every fibre along an axis by a matrix, `B x new x size`."""
    moved = cubes.movedim(axis, 1)
    product: Tensor = (matrix @ moved.flatten(2)).view(len(moved), -1, *moved.shape[2:])
    return product.movedim(1, axis)
