"""Low-rank parts of matrices with few rows, from the eigenvectors of their Gram matrices instead of a full SVD.

The Gram matrix squares the condition number: directions whose singular value is below about 1e-8 (float64) of the
largest one are lost in rounding. A float32 matrix gets a float64 Gram matrix, so that it keeps what float32 can hold.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["leading_directions", "nearest_orthonormal", "truncated"]


def leading_directions(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return the leading left singular vectors of matrices with few rows, and all singular values.

    Args:
        matrix: `... x C x N`, C much smaller than N.
        rank: how many vectors.

    Returns:
        The vectors `... x C x rank` (orthonormal, of free sign), and the values `... x C`, the largest first.
    """
    gram = (matrix @ matrix.mT).double() if matrix.dtype == torch.float64 else _gram(matrix)
    values, vectors = torch.linalg.eigh(gram)
    leading = vectors[..., -rank:].flip(-1)
    return leading.to(matrix.dtype), values.flip(-1).clamp(min=0).sqrt().to(matrix.dtype)


def _gram(matrix: Tensor, columns: int = 1 << 14) -> Tensor:
    """`matrix matrix^T` in float64, some columns at a time so that no float64 copy of the whole matrix is held."""
    gram = matrix.new_zeros((*matrix.shape[:-1], matrix.shape[-2]), dtype=torch.float64)
    for part in matrix.split(columns, dim=-1):
        wide = part.double()
        gram += wide @ wide.mT
    return gram


def truncated(matrix: Tensor, rank: int) -> Tensor:
    """Return the best approximation of a rank to matrices with few rows, `... x C x N`."""
    directions, _ = leading_directions(matrix, rank)
    product: Tensor = directions @ (directions.mT @ matrix)
    return product


def nearest_orthonormal(matrix: Tensor) -> Tensor:
    """Return the matrix with orthonormal columns that is nearest to a tall one, its polar factor.

    Directions that the matrix leaves open (it is zero, or of lower rank) are filled from the first unit vectors, which
    is what LAPACK does with a zero matrix; here it is so on every machine.

    Args:
        matrix: `... x C x r`, r <= C.
    """
    rows, columns = matrix.shape[-2:]
    wide = matrix.double()
    size = torch.linalg.matrix_norm(wide, keepdim=True)
    filling = torch.eye(rows, columns, dtype=torch.float64, device=matrix.device)
    left, _, right = torch.linalg.svd(wide + FILLING * torch.where(size > 0, size, 1) * filling, full_matrices=False)
    nearest: Tensor = left @ right
    return nearest.to(matrix.dtype)


FILLING = 1e-13
"""Share of the matrix's size with which open directions are filled: above float64's rounding, below what counts."""
