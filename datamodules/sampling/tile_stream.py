"""Cubes, or pairs of images, as batches of tiles, read in strips, one scene after another."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.sampling.batches import Batch
from datamodules.scenes.band_matching import BandMatch
from datamodules.scenes.folder_scene import MaskRule, Strip
from datamodules.scenes.normalisation import Normalisation
from datamodules.scenes.readers import CubeFile
from hyperalign.captions import Window, caption_of


class StreamedScene(Protocol):
    """A cube, or a pair of images, that is read in strips, and whose restored cube is written to a file."""

    @property
    def number(self) -> int:
        """Its place among the scenes."""
        ...

    @property
    def name(self) -> str:
        """Name of the file that is written."""
        ...

    @property
    def file(self) -> CubeFile:
        """The file whose bands, values and size count."""
        ...

    @property
    def match(self) -> BandMatch:
        """Its bands against the network's."""
        ...

    @property
    def rule(self) -> str:
        """How its values are normalised."""
        ...

    @property
    def nan(self) -> MaskRule:
        """What becomes of missing values."""
        ...

    @property
    def normalisation(self) -> Normalisation:
        """The map from the file's values to the network's."""
        ...

    @property
    def avoided(self) -> tuple[int, ...]:
        """Numbers of the file's bands that are not drawn on."""
        ...

    @property
    def all_bad(self) -> bool:
        """Whether all of the file's bands that are needed are bad, so that they are taken as they are."""

    @property
    def template(self) -> CubeFile:
        """The file whose format and facts the restored cube takes over."""
        ...

    @property
    def told(self) -> str:
        """What the restored cube is said to be made from."""
        ...

    @property
    def cube_files(self) -> tuple[CubeFile, ...]:
        """The files that it is read from."""
        ...

    @property
    def ratio(self) -> int:
        """Pixels of the finest image along one of the file; 1 for a single cube."""
        ...

    @property
    def phase(self) -> float:
        """Where the middle of a pixel lies in its block of finer ones; 0 for a single cube."""
        ...

    @property
    def caption(self) -> str:
        """What is seen, or empty."""
        ...

    def strip(self, row: int, height: int) -> Strip | tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Read rows over the whole width."""
        ...


class TileBatch(Batch):
    """Tiles of one scene, or, without `Tiling`, one whole scene.

    Keys:
        tiles: the scene's number, first row and first column of every tile.
        missing: `B x C x h x w`, of a pair in pixels of the finer image, true where values were missing and have been
            filled; absent where none were.
    """

    tiles: list[tuple[int, int, int]]
    missing: NotRequired[Tensor]


@dataclass(frozen=True)
class Tiling:
    """How scenes are cut.

    Attributes:
        side: side of the square tiles in pixels.
        starts: where tiles of a side start along an axis of so many pixels, the last one ending with the axis; takes
            the pixels, then the side.
        batch_size: tiles in a batch.
        whole: values of a cube up to which it is left whole.
    """

    side: int
    starts: Callable[[int, int], Sequence[int]]
    batch_size: int = 1
    whole: int = 0

    def side_of(self, shape: tuple[int, int, int]) -> int:
        """Return the side of the tiles of a cube of `(C, H, W)`."""
        return max(shape[1:]) if math.prod(shape) <= self.whole else self.side


@runtime_checkable
class StreamedData(Protocol):
    """A DataModule whose prediction comes in tiles, and whose restored scenes can be written to files."""

    root: Path
    recursive: bool
    failures: dict[str, str]

    @property
    def streamed(self) -> Sequence[StreamedScene]:
        """The scenes of the present prediction by their numbers."""
        ...

    @property
    def delivers(self) -> tuple[str, ...]:
        """Keys of a batch that a restorer may need, `observation` first."""
        ...

    def stream(self, tiling: Tiling | None, wanted: Callable[[StreamedScene], bool]) -> None:
        """Say how scenes are cut and which are wanted; a later `predict_dataloader` follows it."""
        ...

    def fail(self, scene: StreamedScene, error: Exception) -> None:
        """Take note of a scene that cannot be used, or raise what is wrong with it."""
        ...


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
        scenes: Sequence[StreamedScene],
        trained: tuple[float, ...],
        tiling: Tiling | None,
        failed: Callable[[StreamedScene, Exception], None] | None = None,
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
                    strip = Strip(*scene.strip(top, self._height(scene, top)))
                except (ValueError, OSError) as error:
                    if self._failed is None:
                        raise
                    self._failed(scene, error)
                    break
                yield from self._row(scene, top, strip)

    def _height(self, scene: StreamedScene, top: int) -> int:
        """Rows of the strip that starts at a row."""
        rows = scene.file.shape[1]
        return min(self._side(scene), rows - top)

    def _side(self, scene: StreamedScene) -> int:
        return self.tiling.side_of(scene.file.shape) if self.tiling else max(scene.file.shape[1:])

    def _row(self, scene: StreamedScene, top: int, strip: Strip) -> Iterator[TileBatch]:
        """Cut one strip."""
        side, count = self._side(scene), self.tiling.batch_size if self.tiling else 1
        lefts = self._lefts(scene)
        for first in range(0, len(lefts), count):
            chosen = lefts[first : first + count]
            batch = TileBatch(
                observation=_cut(strip.observation, chosen, side),
                caption=[_caption(scene, Window(top, left, self._height(scene, top), side)) for left in chosen],
                name=[scene.name] * len(chosen),
                wavelengths=self.trained or scene.match.wavelengths,
                tiles=[(scene.number, top, left) for left in chosen],
            )
            if strip.multispectral is not None:
                batch["multispectral"] = _cut(strip.multispectral, chosen, side, scene.ratio)
                batch["phase"] = scene.phase
            if strip.missing is not None:
                batch["missing"] = _cut(strip.missing, chosen, side, scene.ratio)
            yield batch

    def _tops(self, scene: StreamedScene) -> Sequence[int]:
        return [0] if self.tiling is None else self.tiling.starts(scene.file.shape[1], self._side(scene))

    def _lefts(self, scene: StreamedScene) -> Sequence[int]:
        return [0] if self.tiling is None else self.tiling.starts(scene.file.shape[2], self._side(scene))


def _caption(scene: StreamedScene, window: Window) -> str:
    """Return what is seen in a tile, given in pixels of the file; regions of captions are in those of the finest."""
    return caption_of(scene.caption, window.enlarged(scene.ratio))


def _cut(strip: NDArray[np.float32] | NDArray[np.bool_], lefts: Sequence[int], side: int, ratio: int = 1) -> Tensor:
    """Cut tiles out of a strip of `ratio` times as many pixels as the columns count."""
    return torch.from_numpy(np.stack([strip[:, :, left * ratio : (left + side) * ratio] for left in lefts]))
