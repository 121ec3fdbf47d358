"""Applying a network to whole scenes, in one piece or in overlapping tiles where they do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["MINIMUM_TILE", "blending_ramp", "check_tile", "in_tiles", "tile_starts"]

OVERLAP = 0.25
"""Share of a tile's side that it has in common with the next one."""

MINIMUM_TILE = 16


def check_tile(tile: int | None, owner: str) -> None:
    """Refuse tiles too small to overlap.

    Raises:
        ValueError: when the tile is below 16 pixels.
    """
    if tile is not None and tile < MINIMUM_TILE:
        raise ValueError(f"{owner} got tile={tile}: give at least {MINIMUM_TILE} pixels, or null for whole scenes.")


@torch.no_grad()
def in_tiles(network: Callable[..., Tensor], *inputs: Tensor, tile: int | None = None) -> Tensor:
    """Apply a network to whole scenes without gradients.

    Tiles overlap by a quarter and are blended with weights that fall off towards their edges, so no seam is left.

    Args:
        network: takes as many tensors as there are inputs and returns one cube, larger by a whole factor if it likes.
        inputs: `B x C x h x w`; the first has the coarsest pixels, the sides of the others are whole multiples of its
            (a low-resolution hyperspectral and a high-resolution multispectral image).
        tile: side of the square tiles in pixels of the first input; None applies the network once.

    Returns:
        The restored cubes, `B x C x H x W`, on the inputs' device.

    Raises:
        ValueError: when another input's sides are no whole multiple of the first one's.
    """
    height, width = inputs[0].shape[-2:]
    factors = [_factor(one, height, width) for one in inputs]
    if tile is None or (height <= tile and width <= tile):
        return network(*inputs)
    total, weights = torch.zeros(0), torch.zeros(0)
    for top in tile_starts(height, tile):
        for left in tile_starts(width, tile):
            pieces = [_window(one, factor, top, left, tile) for one, factor in zip(inputs, factors, strict=True)]
            restored = network(*pieces)
            scale = restored.shape[-2] // pieces[0].shape[-2]
            if total.numel() == 0:
                total = restored.new_zeros(*restored.shape[:2], height * scale, width * scale)
                weights = restored.new_zeros(height * scale, width * scale)
            ramps = [blending_ramp(length).to(restored) for length in restored.shape[-2:]]
            mask = ramps[0][:, None] * ramps[1]
            rows = slice(top * scale, top * scale + restored.shape[-2])
            columns = slice(left * scale, left * scale + restored.shape[-1])
            total[..., rows, columns] += restored * mask
            weights[rows, columns] += mask
    return total / weights


def _factor(one: Tensor, height: int, width: int) -> int:
    """Return how many pixels of an input lie along one pixel of the first."""
    factor = one.shape[-2] // height
    if factor < 1 or tuple(one.shape[-2:]) != (height * factor, width * factor):
        raise ValueError(
            f"An input of {one.shape[-2]} x {one.shape[-1]} pixels is no whole multiple of the first one's "
            f"{height} x {width}; crop the images to the same ground."
        )
    return factor


def _window(one: Tensor, factor: int, top: int, left: int, tile: int) -> Tensor:
    return one[..., top * factor : (top + tile) * factor, left * factor : (left + tile) * factor]


def tile_starts(length: int, tile: int) -> list[int]:
    """Return where tiles start along an axis of `length` pixels; the last one ends with the axis."""
    if length <= tile:
        return [0]
    step = max(1, int(tile * (1.0 - OVERLAP)))
    return [*range(0, length - tile, step), length - tile]


def blending_ramp(length: int) -> Tensor:
    """Return blending weights in (0, 1] along a tile of `length` pixels, rising over the overlap from both ends."""
    position = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(position, position.flip(0)).div(max(1.0, length * OVERLAP)).clamp(max=1.0)
