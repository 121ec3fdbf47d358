"""Applying a network to whole scenes, in one piece or in overlapping tiles where they do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from hyperalign.captions import Window
from hyperalign.errors import InputError

__all__ = [
    "FILE_TILE",
    "MINIMUM_TILE",
    "OVERLAP",
    "SOLVED_OVERLAP",
    "WHOLE",
    "BlendedTiles",
    "blending_ramp",
    "check_tile",
    "in_tiles",
    "in_windows",
    "tile_starts",
]

OVERLAP = 0.25
"""Share of a tile's side that it has in common with the next one."""

SOLVED_OVERLAP = 0.125
"""The same where each tile is solved as a scene of its own: a solver's result depends on all of a tile, and takes most
of the time; its edges are no worse than those of a scene."""

MINIMUM_TILE = 16

FILE_TILE = 256
"""Side of the tiles in which files are restored where nothing else is asked for."""

WHOLE = 1 << 20
"""A tile in pixels that no scene exceeds."""


def check_tile(tile: int | None, owner: str) -> None:
    """Refuse tiles too small to overlap.

    Raises:
        ValueError: when the tile is below 16 pixels.
    """
    if tile is not None and tile < MINIMUM_TILE:
        raise InputError(f"{owner} got tile={tile}: give at least {MINIMUM_TILE} pixels, or null for whole scenes.")


@torch.no_grad()
def in_tiles(network: Callable[..., Tensor], *inputs: Tensor, tile: int | None = None) -> Tensor:
    """Apply a network to whole scenes without gradients; see `in_windows`."""
    return in_windows(lambda _, *pieces: network(*pieces), *inputs, tile=tile)


@torch.no_grad()
def in_windows(network: Callable[..., Tensor], *inputs: Tensor, tile: int | None = None) -> Tensor:
    """Apply a network that is told where its tile lies to whole scenes without gradients.

    Tiles overlap by a quarter and are blended with weights that fall off towards their edges, so no seam is left.

    Args:
        network: takes the tile's `Window` in pixels of the first input, None for whole scenes, and as many tensors as
            there are inputs; returns one cube, larger by a whole factor if it likes.
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
        return network(None, *inputs)
    total, weights = torch.zeros(0), torch.zeros(0)
    for top in tile_starts(height, tile):
        for left in tile_starts(width, tile):
            pieces = [_window(one, factor, top, left, tile) for one, factor in zip(inputs, factors, strict=True)]
            restored = network(Window(top, left, *pieces[0].shape[-2:]), *pieces)
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
        raise InputError(
            f"An input of {one.shape[-2]} x {one.shape[-1]} pixels is no whole multiple of the first one's "
            f"{height} x {width}; crop the images to the same ground."
        )
    return factor


def _window(one: Tensor, factor: int, top: int, left: int, tile: int) -> Tensor:
    return one[..., top * factor : (top + tile) * factor, left * factor : (left + tile) * factor]


def tile_starts(length: int, tile: int, overlap: float = OVERLAP) -> list[int]:
    """Return where tiles start along an axis of `length` pixels; the last one ends with the axis."""
    if length <= tile:
        return [0]
    step = max(1, int(tile * (1.0 - overlap)))
    return [*range(0, length - tile, step), length - tile]


def blending_ramp(length: int, overlap: float = OVERLAP) -> Tensor:
    """Return blending weights in (0, 1] along a tile of `length` pixels, rising over the overlap from both ends."""
    position = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(position, position.flip(0)).div(max(1.0, length * overlap)).clamp(max=1.0)


class BlendedTiles:
    """Blends the restored tiles of one scene, which come row by row, with the weights of `in_tiles`.

    Rows of the scene are given back as soon as no further tile touches them, so that what is held is one row of tiles:
    `C x tile x width` values, however high the scene is. What comes out equals `in_tiles` up to rounding. A NaN in a
    restored tile comes out as NaN, at its own pixel and band only.

    Args:
        height: rows of the observation in pixels.
        width: columns of the observation in pixels.
        tile: side of the square tiles in pixels of the observation.
        overlap: share of a tile's side that it has in common with the next one.
    """

    def __init__(self, height: int, width: int, tile: int, overlap: float = OVERLAP) -> None:
        self.height, self.width, self.tile, self.overlap = height, width, tile, overlap
        self._tops, self._lefts = (tile_starts(length, tile, overlap) for length in (height, width))
        self._expected = self.positions()
        self._total, self._weights = torch.zeros(0), torch.zeros(0)
        self.scale = 0
        """Side of an observation's pixel in pixels of the restored cube; 0 before the first tile."""

    def positions(self) -> Iterator[tuple[int, int]]:
        """Yield the first row and column of every tile, in the order in which `add` takes them."""
        yield from ((top, left) for top in self._tops for left in self._lefts)

    def add(self, top: int, left: int, restored: Tensor) -> tuple[int, Tensor] | None:
        """Blend in the next tile.

        Args:
            top: first row of the tile in the observation.
            left: first column of the tile in the observation.
            restored: `C x h x w`, larger than its piece of the observation by a whole factor if it likes.

        Returns:
            The first finished row of the restored cube and the finished rows `C x rows x width`, float32 in host
            memory, after the last tile of a row; None after any other tile.

        Raises:
            ValueError: when the tiles come in another order, or are no whole multiple of their piece.
        """
        if next(self._expected, None) != (top, left):
            raise InputError(
                f"The tile at row {top}, column {left} is not the next one of this scene: add the tiles in the order "
                "of `positions`."
            )
        restored = restored.detach().to("cpu", torch.float32)
        scale = self._checked_scale(restored)
        columns = slice(left * scale, left * scale + restored.shape[-1])
        ramps = [blending_ramp(length, self.overlap) for length in restored.shape[-2:]]
        mask = ramps[0][:, None] * ramps[1]
        self._total[..., columns] += restored * mask
        self._weights[:, columns] += mask
        return self._finished(top) if left == self._lefts[-1] else None

    def _checked_scale(self, restored: Tensor) -> int:
        """Learn the scale from the first tile, make room for a row of tiles, and hold all other tiles to it."""
        height, width = min(self.tile, self.height), min(self.tile, self.width)
        scale = self.scale or restored.shape[-2] // height
        if scale < 1 or tuple(restored.shape[-2:]) != (height * scale, width * scale):
            raise InputError(
                f"A tile of {height} x {width} pixels was restored to {restored.shape[-2]} x {restored.shape[-1]}, "
                "which is no whole multiple: use a network that keeps the size or enlarges it by a whole factor."
            )
        if not self.scale:
            self.scale = scale
            self._total = torch.zeros(restored.shape[0], height * scale, self.width * scale)
            self._weights = torch.zeros(height * scale, self.width * scale)
        return scale

    def _finished(self, top: int) -> tuple[int, Tensor]:
        """Give back the rows that the next row of tiles does not touch, and move the others up."""
        later = [start for start in self._tops if start > top]
        done = ((later[0] if later else self.height) - top) * self.scale
        rows = self._total[:, :done] / self._weights[:done]
        kept = self._total.shape[1] - done
        if later:
            # In place, band by band: a copy of a row of tiles would double what is held.
            for plane in (*self._total, self._weights):
                plane[:kept] = plane[done:].clone()
                plane[kept:] = 0
        else:
            self._total, self._weights = torch.zeros(0), torch.zeros(0)
        return top * self.scale, rows
