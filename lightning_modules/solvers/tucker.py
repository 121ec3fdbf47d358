"""Low-rank Tucker approximation of cubes by higher-order orthogonal iteration (HOOI).

Factors come from the eigenvectors of the unfoldings' Gram matrices. Along rows and columns a noisy cube's spectrum is
dense, so a factor is only defined to about 1e-16 times the squared ratio of the largest singular value to a gap: work
in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.low_rank import leading_directions

__all__ = ["tucker_approximation"]

SWEEPS, LEAST_CHANGE = 6, 1e-3


def tucker_approximation(cubes: Tensor, ranks: tuple[int, int, int]) -> Tensor:
    """Return an approximation of multilinear rank, as the published LRTDTV computes it.

    Starts from the leading left vectors of the cubes' own unfoldings, then does at most 6 sweeps over rows, columns and
    bands; a cube stops when the norm of its change is at most 1e-3 of its own norm, the first change being that from
    the cube itself. Changes are taken between cores, which hold all there is to know, so that the cube of a sweep is
    only made when it is the last.

    Args:
        cubes: `B x C x H x W`.
        ranks: of bands, rows and columns; as many as there are, or fewer.
    """
    if len(cubes) > 1:
        return torch.cat([tucker_approximation(cube, ranks) for cube in cubes.split(1)])
    cube = cubes[0]
    bands, _ = leading_directions(cube.flatten(1), ranks[0])
    columns = _leading(_column_gram(cube), ranks[2])
    square = float(cube.square().sum())
    before: _Tucker | None = None
    for _ in range(SWEEPS):
        now = _sweep(cube, bands, columns, ranks)
        change = square - now.square if before is None else now.distance(before)
        bands, columns, before = now.bands, now.columns, now
        if change <= LEAST_CHANGE**2 * square:
            break
    return now.cube()[None]


@dataclass(frozen=True)
class _Tucker:
    """A cube of multilinear rank: core `c x h x w`, orthonormal factors `C x c`, `H x h` and `W x w`."""

    core: Tensor
    bands: Tensor
    rows: Tensor
    columns: Tensor

    @property
    def square(self) -> float:
        """The squared norm of the cube, which is that of its core."""
        return float(self.core.square().sum())

    def cube(self) -> Tensor:
        """Return the cube, `C x H x W`."""
        few = self.rows @ self.core @ self.columns.mT
        flat: Tensor = self.bands @ few.flatten(1)
        return flat.view(-1, *few.shape[1:])

    def distance(self, other: _Tucker) -> float:
        """Return the squared norm of the difference to another cube of these ranks."""
        seen = (self.rows.mT @ other.rows) @ other.core @ (other.columns.mT @ self.columns)
        product = torch.sum(self.core * ((self.bands.mT @ other.bands) @ seen.flatten(1)).view_as(self.core))
        return self.square + other.square - 2 * float(product)


def _sweep(cube: Tensor, bands: Tensor, columns: Tensor, ranks: tuple[int, int, int]) -> _Tucker:
    """Update the factors of rows, columns and bands in turn, each from the cube projected on the two others."""
    few = (bands.mT @ cube.flatten(1)).view(-1, *cube.shape[1:])
    by_rows = (few @ columns).transpose(0, 1).flatten(1)
    rows = _leading(by_rows @ by_rows.mT, ranks[1])
    columns = _leading(_column_gram(rows.mT @ few), ranks[2])
    core = (rows.mT @ (cube @ columns)).flatten(1)
    bands, _ = leading_directions(core, ranks[0])
    return _Tucker((bands.mT @ core).view(ranks), bands, rows, columns)


def _column_gram(cube: Tensor) -> Tensor:
    """Return the inner products of a cube's columns over bands and rows, `W x W`."""
    flat = cube.flatten(0, 1)
    return flat.mT @ flat


def _leading(gram: Tensor, rank: int) -> Tensor:
    """Return the leading eigenvectors of a Gram matrix, the largest first."""
    _, vectors = torch.linalg.eigh(gram)
    leading: Tensor = vectors[:, -rank:]
    return leading.flip(-1)
