"""The tiles of `lightning_modules.tiles` for scenes larger than memory: blended row by row and given back at once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lightning_modules.tiles import blending_ramp, tile_starts

__all__ = ["BlendedTiles"]


class BlendedTiles:
    """Blends the restored tiles of one scene, which come row by row, with the weights of `in_tiles`.

    Rows of the scene are given back as soon as no further tile touches them, so that what is held is one row of tiles:
    `C x tile x width` values, however high the scene is. What comes out equals `in_tiles` up to rounding. A NaN in a
    restored tile comes out as NaN, at its own pixel and band only.

    Args:
        height: rows of the observation in pixels.
        width: columns of the observation in pixels.
        tile: side of the square tiles in pixels of the observation.
    """

    def __init__(self, height: int, width: int, tile: int) -> None:
        self.height, self.width, self.tile = height, width, tile
        self._tops, self._lefts = tile_starts(height, tile), tile_starts(width, tile)
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
            raise ValueError(
                f"The tile at row {top}, column {left} is not the next one of this scene: add the tiles in the order "
                "of `positions`."
            )
        restored = restored.detach().to("cpu", torch.float32)
        scale = self._checked_scale(restored)
        columns = slice(left * scale, left * scale + restored.shape[-1])
        ramps = [blending_ramp(length) for length in restored.shape[-2:]]
        mask = ramps[0][:, None] * ramps[1]
        self._total[..., columns] += restored * mask
        self._weights[:, columns] += mask
        return self._finished(top) if left == self._lefts[-1] else None

    def _checked_scale(self, restored: Tensor) -> int:
        """Learn the scale from the first tile, make room for a row of tiles, and hold all other tiles to it."""
        height, width = min(self.tile, self.height), min(self.tile, self.width)
        scale = self.scale or restored.shape[-2] // height
        if scale < 1 or tuple(restored.shape[-2:]) != (height * scale, width * scale):
            raise ValueError(
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
