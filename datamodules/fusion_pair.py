"""A real pair: one ground seen by a hyperspectral and a multispectral sensor, fused by Wald's protocol."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from datamodules.base import SceneDataModule
from datamodules.degradations import FusionObservation
from datamodules.scenes import MappedScene, Scene
from datamodules.scenes.expected import listing
from datamodules.scenes.measured import MeasuredKind
from datamodules.scenes.readers import CubeFile, find_cubes, open_cube
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import file_states_digest

_WHERE = "set `root` to a file with both arrays, or to a folder that holds hyperspectral/ and multispectral/"

_SEVERAL = (".mat", ".h5", ".hdf5", ".nc", ".npz")
"""Endings of formats that hold several arrays."""


class FusionPair(SceneDataModule):
    """Real pairs of images of one ground, for the fusion task.

    `root` is a file that holds both arrays (`hyperspectral_key`, `multispectral_key`), a folder of such files, or a
    folder with one file a scene in `hyperspectral/` and one of the same stem in `multispectral/`, in any format that
    `datamodules.scenes.readers.open_cube` reads.

    There is no image of many bands and fine pixels to compare with, so Wald's protocol is followed: the hyperspectral
    image itself is the target, that image reduced by the degradation (`FusionObservation`: its `ratio` and `psf`, not
    its response) is the observation, and the measured multispectral image on the grid of the target is
    `multispectral`. One that has q times as many pixels a side is first brought there by the mean of each q x q block.
    Both images are divided by one number, so that they stay comparable; the multispectral one may exceed 1.

    The role target re-observes proxies, whose multispectral image nobody measured: there `degradation` must name a
    `response` with as many channels as the measured image has.

    Args:
        root: file or folder.
        wavelengths: centres of the hyperspectral bands in nm; None takes those of the file.
        multispectral_wavelengths: centres of the multispectral channels in nm; None takes those of the file, or numbers
            the channels from 1.
        hyperspectral_key: the array, in files that hold several.
        multispectral_key: the array, in files that hold several.
        scale: what the values of both images are divided by; None takes the larger of their two maxima.
        tiles: into how many rows and columns of scenes each pair is cut, named `<stem>_00`, ... row by row; 1 leaves it
            whole. Tiles are neighbours on the ground.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: for a number outside of its range.
    """

    measured_kinds: ClassVar[tuple[MeasuredKind, ...]] = ("multispectral",)
    """The second sensor's image lies beside the scene."""

    def __init__(
        self,
        root: str,
        *,
        wavelengths: list[float] | None = None,
        multispectral_wavelengths: list[float] | None = None,
        hyperspectral_key: str | None = None,
        multispectral_key: str | None = None,
        scale: float | None = None,
        tiles: int = 1,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if tiles < 1 or (scale is not None and not 0.0 < scale < float("inf")):
            raise InputError(
                f"{tiles} tiles a side and a scale of {scale} are not possible: give at least 1 tile and a positive "
                "scale, or leave `scale` out."
            )
        self.root = Path(root)
        self._keys = (hyperspectral_key, multispectral_key)
        self._centres = (wavelengths, multispectral_wavelengths)
        self.scale = scale
        self.tiles = tiles

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Centres of the hyperspectral bands in nm, given or from the first file.

        Raises:
            ValueError: if neither says them.
        """
        file = self._open(next(iter(self._pairs_found().values())), 0)
        if file.wavelengths is None:
            raise InputError(
                f"Nobody says the wavelengths of {file.path}: give the centre of each of its {file.shape[0]} bands in "
                "nm as `wavelengths`."
            )
        return file.wavelengths

    def scene_names(self) -> tuple[str, ...]:
        """Return the pairs by the stems of their files, or their tiles.

        Raises:
            FileNotFoundError: if there is no pair.
        """
        stems = self._pairs_found()
        if self.tiles == 1:
            return tuple(stems)
        return tuple(f"{stem}_{tile:02d}" for stem in stems for tile in range(self.tiles**2))

    def read_scene(self, name: str) -> Scene:
        """Read the hyperspectral image, the target.

        Raises:
            FileNotFoundError: if its file is missing.
            ValueError: if a file is damaged, or the two images do not lie on each other.
        """
        stem, window = self._place(name)
        hyperspectral, multispectral, _ = self._opened(stem)
        cube = _floats(hyperspectral, window).div_(self._scale(hyperspectral, multispectral))
        return Scene(name, cube, self.wavelengths)

    def read_measured(self, name: str, kind: MeasuredKind) -> Scene:
        """Read the multispectral image on the grid of the target.

        Raises:
            FileNotFoundError: if its file is missing.
            ValueError: as `read_scene`, or for another kind than `multispectral`.
        """
        if kind != "multispectral":
            return super().read_measured(name, kind)
        stem, window = self._place(name)
        hyperspectral, multispectral, factor = self._opened(stem)
        row, column, height, width = (side * factor for side in window)
        image = _floats(multispectral, (row, column, height, width)).div_(self._scale(hyperspectral, multispectral))
        if factor > 1:
            image = torch.nn.functional.avg_pool2d(image, factor)
        centres = multispectral.wavelengths or tuple(float(number + 1) for number in range(len(image)))
        return Scene(name, image, centres)

    def fingerprint(self, name: str) -> str:
        """Return a hash of paths, sizes and times of the files and of the settings."""
        _, window = self._place(name)
        settings = f"{window} {self.scale} {self._keys} {self._centres} {self.wavelengths}"
        return file_states_digest(settings, self.source_files(name))

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the file of both images, or of each."""
        stem, _ = self._place(name)
        return tuple(dict.fromkeys(self._pairs_found()[stem]))

    def use_training_scenes(self, scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        """Draw training patches from these scenes; see `SceneDataModule.use_training_scenes`.

        Raises:
            ValueError: also if scenes without a measured multispectral image would be seen through a response with
                another number of channels than the measured images have.
        """
        task = self.degradation
        simulated = [scene for scene in scenes if scene.multispectral is None]
        if simulated and isinstance(task, FusionObservation):
            measured = self._open(next(iter(self._pairs_found().values())), 1).shape[0]
            if (channels := len(task.response.channels)) != measured:
                raise InputError(
                    f"The training scene {simulated[0].name!r} would be seen by the {channels} channels of the "
                    f"response {task.response.name}, but the multispectral images of {type(self).__name__} have "
                    f"{measured}: name the CSV file of that sensor as the degradation's `response`."
                )
        super().use_training_scenes(scenes, weights)

    def _place(self, name: str) -> tuple[str, tuple[int, int, int, int]]:
        """Return the pair that a scene belongs to, and its window in the hyperspectral image."""
        names = self.scene_names()
        if name not in names:
            raise InputError(f"There is no pair {name!r} in {self.root}: name one of {', '.join(names[:5])}.")
        tile = names.index(name) % self.tiles**2
        stem = name if self.tiles == 1 else name.rpartition("_")[0]
        _, height, width = self._open(self._pairs_found()[stem], 0).shape
        row, column = divmod(tile, self.tiles)
        height, width = height // self.tiles, width // self.tiles
        if min(height, width) < 1:
            raise InputError(f"The pair {stem!r} is too small for {self.tiles} tiles a side: give fewer `tiles`.")
        return stem, (row * height, column * width, height, width)

    def _opened(self, stem: str) -> tuple[CubeFile, CubeFile, int]:
        """Open both images of a pair, and return how many times finer the multispectral grid is."""
        pair = self._pairs_found()[stem]
        first, second = self._open(pair, 0), self._open(pair, 1)
        factor = second.shape[1] // first.shape[1]
        if factor < 1 or second.shape[1:] != (first.shape[1] * factor, first.shape[2] * factor):
            raise InputError(
                f"The multispectral image of {stem!r} has {second.shape[1]} x {second.shape[2]} pixels, which is no "
                f"multiple of the {first.shape[1]} x {first.shape[2]} of the hyperspectral one: register and crop both "
                "to the same ground."
            )
        return first, second, factor

    def _open(self, pair: tuple[Path, Path], which: int) -> CubeFile:
        return open_cube(pair[which], key=self._keys[which], wavelengths=self._centres[which])

    def _scale(self, first: CubeFile, second: CubeFile) -> float:
        if self.scale is not None:
            return self.scale
        largest = max(file.maximum(0, 0, *file.shape[1:]) for file in (first, second))
        if not largest > 0:
            raise InputError(f"The pair {first.path} holds no value above 0: download it again.")
        return largest

    def _pairs_found(self) -> dict[str, tuple[Path, Path]]:
        """The two files of every pair by its stem; one file twice where it holds both."""
        if self.root.is_file():
            return {self.root.stem: (self.root, self.root)}
        if not self.root.is_dir():
            raise MissingFileError(f"There is no file or folder {self.root} with a pair of images: {_WHERE}.")
        first, second = self.root / "hyperspectral", self.root / "multispectral"
        if first.is_dir() and second.is_dir():
            others = {path.stem: path for path in find_cubes(second)}
            images = find_cubes(first)
            if lonely := [path.name for path in images if path.stem not in others]:
                raise MissingFileError(
                    f"The images {', '.join(lonely)} of {first} have none of their name in {second}."
                )
            pairs = {path.stem: (path, others[path.stem]) for path in images}
        else:
            files = [path for path in find_cubes(self.root) if path.suffix.lower() in _SEVERAL]
            pairs = {path.stem: (path, path) for path in files}
        if not pairs:
            raise MissingFileError(f"The folder {self.root} holds no pair but {listing(self.root)}: {_WHERE}.")
        return pairs


def _floats(file: CubeFile, window: tuple[int, int, int, int]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(file.complete(*window), dtype=np.float32))
