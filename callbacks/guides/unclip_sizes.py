"""How an image of any size goes through a diffusion model that has a native one, with every pixel staying in its place.

Resized: the whole scene is brought to about the native number of pixels and back; both ways sample the same
pixel-centred grid, so that nothing moves. In tiles: the scene keeps its resolution and the network sees overlapping
windows of a common noisy canvas, whose outputs are blended in every step (MultiDiffusion, Bar-Tal et al., 2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.guides.denoiser import reflected

Fit = Literal["resize", "tiles"]


@dataclass(frozen=True)
class Canvas:
    """The image that the model works on in place of a scene.

    Attributes:
        scene: (H, W) of the scene in pixels.
        size: (H, W) of the canvas in pixels, multiples of the model's.
        resized: whether the canvas shows the scene at another scale; otherwise it extends it by reflection at the
            bottom and right.
        tile: (H, W) of what the network sees at once, at most `size`.
        corners: (top, left) of every tile in pixels, covering the canvas.
    """

    scene: tuple[int, int]
    size: tuple[int, int]
    resized: bool
    tile: tuple[int, int]
    corners: tuple[tuple[int, int], ...]

    def enter(self, image: Tensor) -> Tensor:
        """Bring ... x H x W of the scene to the canvas; values stay in [0, 1]."""
        if not self.resized:
            return reflected(image, *self.size)
        return _resized(image, self.size).clamp(0.0, 1.0)

    def leave(self, image: Tensor) -> Tensor:
        """Bring ... x H x W of the canvas back to the scene's size."""
        if not self.resized:
            return image[..., : self.scene[0], : self.scene[1]]
        return _resized(image, self.scene)

    def tiles(self, image: Tensor, factor: int = 1) -> Tensor:
        """Cut B x C x H x W of the canvas, 1 / `factor` of its size, into (B * tiles) x C x h x w, image by image."""
        height, width = (length // factor for length in self.tile)
        cut = [
            image[..., top : top + height, left : left + width]
            for top, left in ((top // factor, left // factor) for top, left in self.corners)
        ]
        return torch.stack(cut, dim=1).flatten(0, 1)

    def blended(self, tiles: Tensor, factor: int) -> Tensor:
        """Put (B * tiles) x C x h x w, as `tiles` cuts it, together again, cross-faded where tiles overlap."""
        if len(self.corners) == 1:
            return tiles
        height, width = tiles.shape[-2:]
        weight = (_ramp(height, tiles)[:, None] * _ramp(width, tiles)).to(tiles.dtype)
        parts = tiles.unflatten(0, (-1, len(self.corners)))
        whole = tiles.new_zeros(len(parts), tiles.shape[1], self.size[0] // factor, self.size[1] // factor)
        total = torch.zeros_like(whole[0, 0])
        for number, (top, left) in enumerate(self.corners):
            rows, columns = slice(top // factor, top // factor + height), slice(left // factor, left // factor + width)
            whole[..., rows, columns] += weight * parts[:, number]
            total[rows, columns] += weight
        return whole / total


def canvas_for(scene: tuple[int, int], fit: Fit, native: int, multiple: int, factor: int, overlap: float) -> Canvas:
    """Plan the canvas of a scene.

    Args:
        scene: (H, W) in pixels.
        fit: `resize` or `tiles`.
        native: the model's native side in pixels: of the square that has as many pixels as a resized scene, or the
            largest side of a tile. Rounded to the multiple.
        multiple: what divides the sides of everything that the network sees, in pixels.
        factor: what divides the corners of tiles, in pixels (a latent pixel).
        overlap: smallest part of a tile's side that the next one shares, 0 to 0.5.
    """
    if fit == "resize":
        scale = native / math.sqrt(scene[0] * scene[1])
        size = _each(scene, lambda length: max(1, round(scale * length / multiple)) * multiple)
        return Canvas(scene, size, size != scene, size, ((0, 0),))
    longest = max(1, round(native / multiple)) * multiple
    size = _each(scene, lambda length: math.ceil(length / multiple) * multiple)
    tile = _each(size, lambda length: min(length, longest))
    tops, lefts = (_starts(length, side, factor, overlap) for length, side in zip(size, tile, strict=True))
    return Canvas(scene, size, False, tile, tuple((top, left) for top in tops for left in lefts))


def _each(size: tuple[int, int], change: Callable[[int], int]) -> tuple[int, int]:
    return change(size[0]), change(size[1])


def _starts(length: int, tile: int, factor: int, overlap: float) -> list[int]:
    """Return where evenly spaced tiles of one axis begin, the last of them ending at `length`."""
    if tile == length:
        return [0]
    widest = max(factor, tile - math.ceil(tile * overlap))
    count = math.ceil((length - tile) / widest) + 1
    while True:
        starts = [round(number * (length - tile) / (count - 1)) // factor * factor for number in range(count)]
        # Whole latent pixels may take one of them from the overlap: one more tile then.
        if max(after - before for before, after in pairwise(starts)) <= widest:
            return starts
        count += 1


def _ramp(length: int, like: Tensor) -> Tensor:
    """Weights that rise from the borders to the middle of a tile and are nowhere 0."""
    position = torch.arange(length, device=like.device, dtype=torch.float32)
    return torch.minimum(position + 1, length - position)


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(image[None] if image.ndim == 3 else image, size, mode="bicubic", antialias=True).view(
        *image.shape[:-2], *size
    )
