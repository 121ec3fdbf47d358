"""Orders in which a scan visits the positions of a lattice: plain index functions.

An order is a LongTensor: entry `i` is the (row-major) number of the position that comes `i`-th, so that
`sequence = tokens[..., order]` and `tokens = sequence[..., inverse(order)]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hyperalign.errors import InputError

__all__ = ["axis_order", "both_directions", "four_directions", "inverse"]


def inverse(order: Tensor) -> Tensor:
    """Return the order that undoes `order` along the last axis: `x[order][inverse(order)]` is `x`."""
    places = torch.arange(order.shape[-1], device=order.device).expand(order.shape)
    return torch.empty_like(order).scatter_(-1, order, places)


def axis_order(sizes: Sequence[int], axes: Sequence[int] | None = None, *, continuous: bool = False) -> Tensor:
    """Visit a lattice of any dimension axis by axis, in rows that start anew or that turn round (serpentine).

    With `continuous`, every visited position is a lattice neighbour of the one before: each axis runs backwards
    whenever the *position along the next outer axis* is odd, and a run that is itself reversed reverses all inside it.
    On three axes (SSUMamba's spatial-spectral continuous scan, Fu et al. 2024): rows with odd a1 are reversed along
    a2, then planes with odd a0 along both a1 and a2.

    Args:
        sizes: length of each axis of the lattice, outermost in memory first.
        axes: the axes from the slowest to the fastest; as in memory if None.
        continuous: turn round at the end of a row instead of jumping back.

    Returns:
        `prod(sizes)` row-major position numbers.

    Raises:
        ValueError: `axes` is not an arrangement of all axes.
    """
    arranged = list(range(len(sizes))) if axes is None else list(axes)
    if sorted(arranged) != list(range(len(sizes))):
        raise InputError(f"axis_order: axes {arranged} do not name each of the {len(sizes)} axes once")
    numbers = torch.arange(math.prod(sizes)).reshape(tuple(sizes)).permute(arranged).contiguous()
    if continuous:
        for outer in range(numbers.ndim - 2, -1, -1):
            odd = (slice(None),) * outer + (slice(1, None, 2),)
            inner = tuple(range(outer + 1, numbers.ndim))
            numbers[odd] = numbers[odd].flip(inner)
    return numbers.flatten()


def both_directions(length: int) -> Tensor:
    """Return a sequence forwards and backwards, `2 x length` (bidirectional scan)."""
    forwards = torch.arange(length)
    return torch.stack([forwards, forwards.flip(0)])


def four_directions(height: int, width: int, *, continuous: bool = False) -> Tensor:
    """Return the cross-scan of SS2D (Liu et al., "VMamba", 2024): rows, columns, and both reversed, `4 x height*width`.

    Args:
        height: rows of the image.
        width: columns of the image.
        continuous: serpentine rows and columns, so that each position is a neighbour of the one before.

    Returns:
        Row-major pixel numbers: row by row, column by column, then the two backwards.
    """
    rows = axis_order((height, width), (0, 1), continuous=continuous)
    columns = axis_order((height, width), (1, 0), continuous=continuous)
    return torch.stack([rows, columns, rows.flip(0), columns.flip(0)])
