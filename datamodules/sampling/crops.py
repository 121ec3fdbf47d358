"""The parts of a scene that adaptation looks at: all of a small one, crops with content of a large one."""

from dataclasses import dataclass

import numpy as np
import torch

from datamodules.scenes.folder_scene import FolderScene
from hyperalign.seeding import generator_for

_CANDIDATES = 4
_LOOK = 64
_BLOCK = 8


@dataclass(frozen=True)
class Crop:
    """A rectangle of a scene in pixels."""

    row: int
    column: int
    height: int
    width: int

    def overlap(self, other: "Crop") -> int:
        """Return the number of pixels that both hold."""
        rows = min(self.row + self.height, other.row + other.height) - max(self.row, other.row)
        columns = min(self.column + self.width, other.column + other.width) - max(self.column, other.column)
        return max(rows, 0) * max(columns, 0)


def drawn_crops(scene: FolderScene, side: int, count: int, seed: int) -> list[Crop]:
    """Return the whole scene if it is no larger than a crop, else crops drawn by seed where it has content.

    A few times as many places are drawn as are wanted; of each, a small window in the middle is read, and those whose
    block means differ most are taken, as far as they do not lie on each other. Nothing else of the scene is read.

    Args:
        scene: an open cube.
        side: largest height and width of a crop in pixels.
        count: crops of a large scene.
        seed: fixes the places, together with the scene's name.
    """
    _, height, width = scene.file.shape
    size = (min(side, height), min(side, width))
    if size == (height, width):
        return [Crop(0, 0, height, width)]
    generator = generator_for(seed, "crops", scene.name)
    places = torch.rand((count * _CANDIDATES, 2), generator=generator, dtype=torch.float64)
    candidates = [
        Crop(int(down * (height - size[0] + 1)), int(across * (width - size[1] + 1)), *size)
        for down, across in places.tolist()
    ]
    candidates.sort(key=lambda crop: -_content(scene, crop))
    chosen: list[Crop] = []
    for allowed in (0.0, 0.5):
        for crop in candidates:
            if len(chosen) < count and all(crop.overlap(one) <= allowed * size[0] * size[1] for one in chosen):
                chosen.append(crop)
    return sorted(chosen, key=lambda crop: (crop.row, crop.column))


def _content(scene: FolderScene, crop: Crop) -> float:
    """Return how much the block means of the middle of a crop differ, which noise hardly raises."""
    height, width = min(_LOOK, crop.height), min(_LOOK, crop.width)
    row, column = crop.row + (crop.height - height) // 2, crop.column + (crop.width - width) // 2
    grey = scene.window(row, column, height, width)[0].mean(axis=0)
    rows, columns = height // _BLOCK * _BLOCK, width // _BLOCK * _BLOCK
    if not rows or not columns:
        return 0.0
    blocks = grey[:rows, :columns].reshape(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK).mean(axis=(1, 3))
    return float(np.std(blocks))
