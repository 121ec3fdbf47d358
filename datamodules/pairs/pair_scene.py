"""One pair of images as a fusion method is given it, read in strips: the coarse cube, and the fine image beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.pairs.place import fused_template
from datamodules.pairs.sensors import SensorEstimate
from datamodules.scenes.band_matching import BandMatch
from datamodules.scenes.folder_scene import FolderScene, MaskRule, Strip
from datamodules.scenes.normalisation import Normalisation
from datamodules.scenes.readers import CubeFile

__all__ = ["PairScene", "Shift", "Strip", "moved_window"]

Shift = tuple[float, float]
"""Rows and columns, in multispectral pixels."""


@dataclass(frozen=True)
class PairScene:
    """A hyperspectral and a multispectral image of one ground; values are read when they are asked for.

    Attributes:
        hyperspectral: the image of many bands, with the network's bands and on its scale.
        multispectral: the image of fine pixels.
        ratio: multispectral pixels along a hyperspectral one.
        phase: where the middle of a hyperspectral pixel lies in its block of multispectral ones, 0 being the first.
        shift: by which hyperspectral pixels lie beside their place in the file; undone, by cubic convolution, so that
            what is fused lies where the multispectral image does.
        caption: what is seen, or empty.
        sensors: what was estimated of both sensors; None where nothing was.
    """

    hyperspectral: FolderScene
    multispectral: FolderScene
    ratio: int
    phase: float
    shift: Shift = (0.0, 0.0)
    caption: str = ""
    sensors: SensorEstimate | None = None

    @property
    def number(self) -> int:
        """Its place among the pairs."""
        return self.hyperspectral.number

    @property
    def name(self) -> str:
        """Name of the fused file: the stem of both images, with the ending of the format that it is written in."""
        return self.hyperspectral.name

    @property
    def file(self) -> CubeFile:
        """The hyperspectral file, whose bands, values and size count."""
        return self.hyperspectral.file

    @property
    def match(self) -> BandMatch:
        """The hyperspectral bands against the network's."""
        return self.hyperspectral.match

    @property
    def rule(self) -> str:
        """How the hyperspectral values are normalised."""
        return self.hyperspectral.rule

    @property
    def nan(self) -> MaskRule:
        """What becomes of missing values."""
        return self.hyperspectral.nan

    @property
    def normalisation(self) -> Normalisation:
        """The map from the hyperspectral file's values to the network's."""
        return self.hyperspectral.normalisation

    @property
    def avoided(self) -> tuple[int, ...]:
        """Numbers of the hyperspectral bands that are not drawn on."""
        return self.hyperspectral.avoided

    @property
    def all_bad(self) -> bool:
        """Whether all needed bands of the hyperspectral image are bad."""
        return self.hyperspectral.all_bad

    @cached_property
    def template(self) -> CubeFile:
        """The file whose format and facts the fused cube takes over."""
        return fused_template(self.file, self.multispectral.file)

    @property
    def told(self) -> str:
        """What the fused cube is said to be made from."""
        paths = list(dict.fromkeys(file.path for file in self.cube_files))
        alike = len({path.name for path in paths}) < len(paths)
        return " and ".join(f"{path.parent.name}/{path.name}" if alike else path.name for path in paths)

    @property
    def cube_files(self) -> tuple[CubeFile, ...]:
        """Both files."""
        return (self.file, self.multispectral.file)

    def strip(self, row: int, height: int) -> Strip:
        """Read hyperspectral rows, and the multispectral ones over the same ground, over the whole width.

        Args:
            row: first hyperspectral row.
            height: number of hyperspectral rows.

        Raises:
            ValueError: for missing values under the rule `refuse`, or a damaged file.
        """
        _, _, width = self.file.shape
        cube, holes = self._registered(row, height, width)
        fine = (row * self.ratio, 0, height * self.ratio, width * self.ratio)
        image, beside = self.multispectral.window(*fine)
        missing = None if holes is None else holes.repeat(self.ratio, 1).repeat(self.ratio, 2)
        if beside is not None:
            # A channel that is missing is missed by every band.
            everywhere = np.broadcast_to(beside.any(axis=0), (len(cube), *beside.shape[1:]))
            missing = everywhere.copy() if missing is None else missing | everywhere
        return Strip(cube, missing, image)

    def _registered(self, row: int, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Read hyperspectral rows where the multispectral image has them."""
        if self.shift == (0.0, 0.0):
            return self.hyperspectral.strip(row, height)
        holes: list[NDArray[np.bool_]] = []

        def read(*place: int) -> NDArray[np.float32]:
            values, mask = self.hyperspectral.window(*place)
            holes.extend([] if mask is None else [mask])
            return values

        moved, down, across = moved_window(read, (row, 0, height, width), self.file.shape, self.shift, self.ratio)
        if not holes:
            return moved, None
        touched = np.matmul(down != 0, np.matmul(holes[0].astype(np.float32), (across != 0).T.astype(np.float32)))
        return moved, touched > 0


def moved_window(
    read: Callable[[int, int, int, int], NDArray[Any]],
    window: tuple[int, int, int, int],
    shape: tuple[int, int, int],
    shift: Shift,
    ratio: int,
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Read a window of an image where it would lie without its shift.

    Args:
        read: gives `C x h x w` of a window's first row, first column, height and width.
        window: the window wanted.
        shape: of the image.
        shift: in fine pixels, see `PairScene`.
        ratio: fine pixels along one of the image.

    Returns:
        The window, and the weights along rows and along columns that made it.
    """
    row, column, height, width = window
    top, down = _taps(row, height, shape[1], shift[0] / ratio)
    left, across = _taps(column, width, shape[2], shift[1] / ratio)
    values = read(top, left, down.shape[1], across.shape[1])
    return np.matmul(down, np.matmul(values, across.T)).astype(np.float32), down, across


def _taps(first: int, count: int, size: int, shift: float) -> tuple[int, NDArray[np.float64]]:
    """Return which pixels are read, and the weights that move them by `shift`; mirrored at the border.

    Args:
        first: the first pixel wanted.
        count: how many are wanted.
        size: pixels that there are.
        shift: pixels by which they lie off.

    Returns:
        The first pixel read, and weights `count x read` of Keys' cubic convolution (1981, a = -0.5).
    """
    places = np.arange(first, first + count) - shift
    taps = np.floor(places).astype(np.int64)[:, None] + np.arange(-1, 3)
    distance = np.abs(places[:, None] - taps)
    near = (1.5 * distance - 2.5) * distance**2 + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    taps %= 2 * size
    taps = np.where(taps < size, taps, 2 * size - 1 - taps)
    start = int(taps.min())
    matrix = np.zeros((count, int(taps.max()) + 1 - start))
    np.add.at(matrix, (np.arange(count)[:, None], taps - start), weights)
    return start, matrix
