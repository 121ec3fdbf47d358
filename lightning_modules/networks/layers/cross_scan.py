"""Laying an image out in the four orders of SS2D (Liu et al., "VMamba", arXiv 2401.10166) and adding up the results."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["DIRECTIONS", "cross_merge", "cross_scan"]

DIRECTIONS = 4


def cross_scan(images: Tensor) -> Tensor:
    """Lay images out as four sequences, in the orders of `scan_orders.four_directions`.

    By transposed and flipped copies, whose gradients are copies again; indexing is several times slower.

    Args:
        images: `B x C x H x W`, the same for every direction, or `B x 4 x C x H x W`, one each.

    Returns:
        `B x 4 x C x (H W)`: row by row, column by column, and the two from their ends.
    """
    if images.ndim == 4:
        ahead = torch.stack((images.flatten(2), images.mT.flatten(2)), dim=1)
        return torch.cat((ahead, ahead.flip(-1)), dim=1)
    rows, columns, rows_back, columns_back = images.unbind(1)
    sequences = (rows.flatten(2), columns.mT.flatten(2), rows_back.flatten(2).flip(-1))
    return torch.stack((*sequences, columns_back.mT.flatten(2).flip(-1)), dim=1)


def cross_merge(sequences: Tensor, lattice: tuple[int, int]) -> Tensor:
    """Add the four directions `B x 4 x C x (H W)` where they belong, `B x C x H x W`; lattice is (H, W)."""
    height, width = lattice
    ahead = sequences[:, :2] + sequences[:, 2:].flip(-1)
    rows, columns = ahead.unbind(1)
    merged: Tensor = rows.unflatten(-1, (height, width)) + columns.unflatten(-1, (width, height)).mT
    return merged
