"""The cubes of a folder as batches of tiles, read in strips, one scene after another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NotRequired

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.sampling.batches import Batch
from datamodules.scenes.folder_scene import FolderScene


class TileBatch(Batch):
    """Tiles of one scene, or, without `Tiling`, one whole scene.

    Keys:
        tiles: the scene's number, first row and first column of every tile.
        missing: `B x C x h x w`, true where values were missing and have been filled; absent where none were.
    """

    tiles: list[tuple[int, int, int]]
    missing: NotRequired[Tensor]


@dataclass(frozen=True)
class Tiling:
    """How scenes are cut.

    Attributes:
        side: side of the square tiles in pixels.
        starts: where tiles start along an axis of so many pixels, the last one ending with the axis.
        batch_size: tiles in a batch.
    """

    side: int
    starts: Callable[[int], Sequence[int]]
    batch_size: int = 1


class TileStream:
    """Iterates over the tiles of scenes, row by row; one strip, as high as a tile, is held in memory.

    Args:
        scenes: the cubes.
        trained: centres of the network's bands in nm; empty where it takes those of every scene.
        tiling: how scenes are cut; None leaves them whole.
        failed: is told of a scene that cannot be read on, whose other tiles are left out; None raises the error.
    """

    def __init__(
        self,
        scenes: Sequence[FolderScene],
        trained: tuple[float, ...],
        tiling: Tiling | None,
        failed: Callable[[FolderScene, Exception], None] | None = None,
    ) -> None:
        self.scenes = tuple(scenes)
        self.trained = trained
        self.tiling = tiling
        self._failed = failed

    def __len__(self) -> int:
        """Return the number of batches."""
        return sum(
            len(self._tops(scene)) * -(-len(self._lefts(scene)) // (self.tiling.batch_size if self.tiling else 1))
            for scene in self.scenes
        )

    def __iter__(self) -> Iterator[TileBatch]:
        """Iterate over the batches.

        Raises:
            ValueError: for values that a scene's rules refuse, or a damaged file.
        """
        for scene in self.scenes:
            for top in self._tops(scene):
                try:
                    strip, missing = scene.strip(top, self._height(scene, top))
                except (ValueError, OSError) as error:
                    if self._failed is None:
                        raise
                    self._failed(scene, error)
                    break
                yield from self._row(scene, top, strip, missing)

    def _height(self, scene: FolderScene, top: int) -> int:
        """Rows of the strip that starts at a row."""
        rows = scene.file.shape[1]
        return min(self.tiling.side, rows - top) if self.tiling else rows

    def _row(
        self, scene: FolderScene, top: int, strip: NDArray[np.float32], missing: NDArray[np.bool_] | None
    ) -> Iterator[TileBatch]:
        """Cut one strip."""
        side, count = (self.tiling.side, self.tiling.batch_size) if self.tiling else (max(scene.file.shape[1:]), 1)
        lefts = self._lefts(scene)
        for first in range(0, len(lefts), count):
            chosen = lefts[first : first + count]
            batch = TileBatch(
                observation=_cut(strip, chosen, side),
                caption=[""] * len(chosen),
                name=[scene.name] * len(chosen),
                wavelengths=self.trained or scene.match.wavelengths,
                tiles=[(scene.number, top, left) for left in chosen],
            )
            if missing is not None:
                batch["missing"] = _cut(missing, chosen, side)
            yield batch

    def _tops(self, scene: FolderScene) -> Sequence[int]:
        return [0] if self.tiling is None else self.tiling.starts(scene.file.shape[1])

    def _lefts(self, scene: FolderScene) -> Sequence[int]:
        return [0] if self.tiling is None else self.tiling.starts(scene.file.shape[2])


def _cut(strip: NDArray[np.float32] | NDArray[np.bool_], lefts: Sequence[int], side: int) -> Tensor:
    return torch.from_numpy(np.stack([strip[:, :, left : left + side] for left in lefts]))
