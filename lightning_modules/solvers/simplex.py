"""Projection onto the probability simplex."""

from __future__ import annotations

from torch import Tensor

__all__ = ["onto_simplex"]


def onto_simplex(columns: Tensor) -> Tensor:
    """Return the nearest columns with entries of at least 0 that sum to 1.

    The common shift of a column's positive entries is found by Newton's method from below, which ends exactly after at
    most N steps (Michelot, "A finite algorithm for finding the projection of a point onto the canonical simplex",
    Journal of Optimization Theory and Applications 50, 1986).

    Args:
        columns: `N x P`, P vectors of N entries.
    """
    shift = (columns.sum(dim=0) - 1.0) / len(columns)
    for _ in range(len(columns)):
        kept = (columns - shift).clamp_min(0.0)
        excess = (kept.sum(dim=0) - 1.0) / (kept > 0).sum(dim=0)
        shift = shift + excess
        if not bool((excess > 0).any()):
            break
    return (columns - shift).clamp_min(0.0)
