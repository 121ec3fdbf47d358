"""Reflection padding of an image batch up to a multiple of a block size, for any image size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["pad_to_multiple"]


def _reflected_rows(size: int, padded: int, device: torch.device) -> Tensor:
    """Row numbers of a signal of `size` samples continued by reflection (edge not repeated) to `padded` samples."""
    if size == 1:
        return torch.zeros(padded, dtype=torch.long, device=device)
    position = torch.arange(padded, device=device) % (2 * size - 2)
    return torch.where(position < size, position, 2 * size - 2 - position)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad height and width at the bottom and right by reflection, so that both divide by `multiple`.

    Images smaller than the padding they need are reflected back and forth as often as necessary (PyTorch's own
    reflection padding refuses these).

    Args:
        images: `B x C x H x W`.
        multiple: block size in pixels.

    Returns:
        `B x C x H' x W'`; the input itself when nothing is missing. Crop with `[..., :H, :W]`.
    """
    height, width = images.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if bottom == 0 and right == 0:
        return images
    if bottom < height and right < width:
        return functional.pad(images, (0, right, 0, bottom), mode="reflect")
    rows = _reflected_rows(height, height + bottom, images.device)
    columns = _reflected_rows(width, width + right, images.device)
    return images.index_select(-2, rows).index_select(-1, columns)
