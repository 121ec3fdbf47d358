"""Linear operators with exact adjoints: masks, and products of one sparse matrix per spatial axis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

BOUNDARIES = ("zero", "replicate", "reflect", "symmetric", "circular")


class LinearOperator(ABC):
    """A linear map A between cubes; `<A x, y> = <x, A^T y>` holds to rounding for every boundary."""

    @abstractmethod
    def apply(self, cube: Tensor) -> Tensor:
        """Return `A cube`; any leading axes before H and W are batch axes."""

    @abstractmethod
    def adjoint(self, observation: Tensor) -> Tensor:
        """Return `A^T observation`."""


@dataclass(frozen=True)
class Masking(LinearOperator):
    """Keeps some entries and sets the others to 0; its own adjoint.

    Attributes:
        mask: True where the cube is observed; broadcasts against `C x H x W`.
    """

    mask: Tensor

    def apply(self, cube: Tensor) -> Tensor:
        """Return the cube with unobserved entries set to 0."""
        return cube * self.mask.to(cube)

    def adjoint(self, observation: Tensor) -> Tensor:
        """Return the observation with unobserved entries set to 0."""
        return self.apply(observation)


class SparseRows:
    """A matrix with few non-zero entries in each row, applied along one axis.

    Terms are summed one after the other in the order of the columns, with plain multiplications and additions: unlike
    a matrix product of a numerical library, the result has the same bits on every machine.

    Args:
        matrix: dense `n_out x n_in` float64 matrix.
    """

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        occupied = matrix != 0
        terms = max(1, int(occupied.sum(dim=1).max()))
        # A stable sort puts the occupied columns first and keeps their order; shorter rows are filled with zeros.
        order = torch.argsort(occupied.to(torch.int8), dim=1, descending=True, stable=True)[:, :terms]
        self.columns = order.t().contiguous()
        self.weights = torch.gather(matrix, 1, order).t().contiguous()

    @cached_property
    def transposed(self) -> SparseRows:
        """The transpose, in the same form."""
        return SparseRows(self.matrix.t().contiguous())

    def along_rows(self, cube: Tensor) -> Tensor:
        """Return the matrix applied to the second last axis, `... x n_in x W -> ... x n_out x W`."""
        columns, weights = self.columns.to(cube.device), self.weights.to(cube)[:, :, None]
        total = cube.index_select(-2, columns[0]).mul_(weights[0])
        for index, weight in zip(columns[1:], weights[1:], strict=True):
            total.add_(cube.index_select(-2, index).mul_(weight))
        return total


@dataclass(frozen=True)
class Separable(LinearOperator):
    """`A X = R X C^T` in every band: one matrix for the rows, one for the columns.

    Attributes:
        rows: R, `h x H`.
        columns: C, `w x W`.
    """

    rows: SparseRows
    columns: SparseRows

    def apply(self, cube: Tensor) -> Tensor:
        """Return `R X C^T` of each band, `... x H x W -> ... x h x w`."""
        return _both_axes(self.rows, self.columns, cube)

    def adjoint(self, observation: Tensor) -> Tensor:
        """Return `R^T Y C` of each band, `... x h x w -> ... x H x W`."""
        return _both_axes(self.rows.transposed, self.columns.transposed, observation)


def _both_axes(rows: SparseRows, columns: SparseRows, cube: Tensor) -> Tensor:
    """Apply one matrix along the rows and one along the columns; gathering whole rows is far faster than columns."""
    vertical = rows.along_rows(cube)
    return columns.along_rows(vertical.transpose(-1, -2).contiguous()).transpose(-1, -2).contiguous()


def boundary_index(index: Tensor, size: int, boundary: str) -> Tensor:
    """Map positions outside `0 .. size - 1` into the range, by the named rule.

    Args:
        index: integer positions, any distance outside.
        size: number of samples along the axis.
        boundary: `replicate` (edge value), `reflect` (mirror that does not repeat the edge), `symmetric` (mirror
            that does), `circular`; `zero` is returned as `replicate`, its entries must be given no weight.

    Returns:
        Positions in range.
    """
    if boundary == "circular":
        return index.remainder(size)
    if boundary == "symmetric":
        folded = index.remainder(2 * size)
        return torch.where(folded < size, folded, 2 * size - 1 - folded)
    if boundary == "reflect" and size > 1:
        folded = index.remainder(2 * size - 2)
        return torch.where(folded < size, folded, 2 * size - 2 - folded)
    return index.clamp(0, size - 1)


def matrix_from_taps(index: Tensor, weights: Tensor, size: int, boundary: str) -> Tensor:
    """Build the dense matrix of a linear filter from its taps.

    Args:
        index: input positions read by each output sample, `n_out x taps` integers, possibly out of range.
        weights: their weights, `n_out x taps` float64.
        size: number of input samples.
        boundary: one of `BOUNDARIES`.

    Returns:
        `n_out x size` float64.
    """
    if boundary == "zero":
        weights = weights * ((index >= 0) & (index < size))
    matrix = torch.zeros(index.shape[0], size, dtype=torch.float64)
    return matrix.scatter_add_(1, boundary_index(index, size, boundary), weights)
