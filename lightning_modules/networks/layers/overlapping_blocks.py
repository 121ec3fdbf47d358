"""Block-wise inference: square overlapping blocks restored one by one and averaged where they overlap."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_modules.networks.layers.padding import pad_to_multiple

__all__ = ["restore_in_blocks"]


def restore_in_blocks(restore: Callable[[Tensor], Tensor], images: Tensor, block_size: int, overlap: int) -> Tensor:
    """Restore images block by block, as T3SC's authors validate and test (arXiv 2111.09708).

    Blocks are square, their side is the larger of the image's sides and at most `block_size`; they start every
    `side - overlap` pixels, and the image is continued by reflection at the bottom and right until they cover it.
    Pixels of several blocks become the plain mean. Blocks run one after another, whole batches at a time.

    Args:
        restore: maps `B x C x h x w` to the same shape.
        images: `B x C x H x W`.
        block_size: largest side of a block in pixels.
        overlap: pixels that neighbours share, fewer than `block_size`.

    Returns:
        Restored images `B x C x H x W`.
    """
    height, width = images.shape[-2:]
    side = min(max(height, width), block_size)
    # An image of one block along an axis has no stride there; tiny ones may be smaller than the overlap.
    stride = max(side - overlap, 1)
    rows, columns = (1 + -(-max(length - side, 0) // stride) for length in (height, width))
    tall, wide = (side + (count - 1) * stride for count in (rows, columns))
    padded = pad_to_multiple(images, max(tall, wide))[..., :tall, :wide]
    if rows == columns == 1:
        return restore(padded)[..., :height, :width]
    total = torch.zeros_like(padded)
    count = padded.new_zeros(tall, wide)
    for top in range(0, rows * stride, stride):
        for left in range(0, columns * stride, stride):
            area = (..., slice(top, top + side), slice(left, left + side))
            total[area] += restore(padded[area])
            count[area] += 1
    return (total / count)[..., :height, :width]
