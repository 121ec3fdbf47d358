"""Periodic forward differences, their adjoints and their eigenvalues in the Fourier basis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["adjoint_difference", "difference", "fourier_eigenvalues"]


def difference(values: Tensor, axis: int) -> Tensor:
    """Return `x[i + 1] - x[i]` along an axis, the last one wrapping to the first; same shape."""
    result = torch.empty_like(values)
    last = values.shape[axis] - 1
    torch.sub(values.narrow(axis, 1, last), values.narrow(axis, 0, last), out=result.narrow(axis, 0, last))
    torch.sub(values.narrow(axis, 0, 1), values.narrow(axis, last, 1), out=result.narrow(axis, last, 1))
    return result


def adjoint_difference(values: Tensor, axis: int) -> Tensor:
    """Return the adjoint of `difference`, `x[i - 1] - x[i]` along an axis; same shape."""
    result = torch.empty_like(values)
    last = values.shape[axis] - 1
    torch.sub(values.narrow(axis, 0, last), values.narrow(axis, 1, last), out=result.narrow(axis, 1, last))
    torch.sub(values.narrow(axis, last, 1), values.narrow(axis, 0, 1), out=result.narrow(axis, 0, 1))
    return result


def fourier_eigenvalues(sizes: Sequence[int], like: Tensor) -> Tensor:
    """Return the eigenvalues of the sum over the axes of `adjoint_difference(difference(x))`, for `torch.fft.rfftn`.

    Args:
        sizes: lengths of the last axes of the transformed tensor, in order.
        like: tensor whose number type and device they take.

    Returns:
        `sizes`, but `sizes[-1] // 2 + 1` along the last axis: `sum over axes of 2 - 2 cos(2 pi k / n)`.
    """
    total = torch.zeros((), dtype=torch.float64, device=like.device)
    for axis, size in enumerate(sizes):
        count = size // 2 + 1 if axis == len(sizes) - 1 else size
        frequency = torch.arange(count, dtype=torch.float64, device=like.device) / size
        values = 2 - 2 * torch.cos(2 * torch.pi * frequency)
        total = total[..., None] + values
    return total.to(like.dtype)
