"""A user's own pairs: one ground seen by a hyperspectral and a multispectral sensor, fused and scored without truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from datamodules.degradations import FusionObservation
from datamodules.pairs.full_size import FULL_SIZE, FullSizePairs
from datamodules.pairs.layouts import FOLDERS, SUFFIXES, PairPaths, check_names
from datamodules.pairs.pair_scene import moved_window
from datamodules.pairs.reader import OpenPair, PairReader, PairScale, check_scale
from datamodules.pairs.streaming import StreamedPairs
from datamodules.pairs.whole_part import whole_part
from datamodules.sampling.batches import EvaluationSampler, Sample, collate
from datamodules.scenes import MappedScene, Scene
from datamodules.scenes.band_matching import BandRule, band_centres
from datamodules.scenes.folder_scene import MaskRule
from datamodules.scenes.measured import MeasuredKind
from datamodules.scenes.readers import CubeFile
from hyperalign.captions import RegionCaption, Window
from hyperalign.errors import InputError
from hyperalign.files import file_states_digest
from hyperalign.ranks import world


class FusionPair(StreamedPairs):
    """Pairs of images of one ground, for the fusion task.

    `root` is a folder that holds `hyperspectral/` and `multispectral/` with files of the same stems; or a folder of
    files `NAME_hs.*` beside `NAME_ms.*`; or a folder of files that each hold both arrays (`hyperspectral_key`,
    `multispectral_key`), or one such file. Any format that `datamodules.scenes.readers.open_cube` reads will do. The
    multispectral image has a whole number q of pixels along each hyperspectral one.

    `predict` fuses the two as they are, in tiles beside `callbacks.PredictionWriter`. Nobody has an image of many bands
    and fine pixels to compare with, so `test` does two things. By **Wald's protocol** the hyperspectral image is the
    target, that image reduced by the degradation (`FusionObservation`: its `ratio` and `psf`) is the observation, and
    the measured multispectral image, brought to the target's grid by the mean of each q x q block, stands beside it.
    At **full size** (where q is above 1) the product itself is scored without reference.

    Both images are divided by one number, so that they stay comparable; the multispectral one may exceed 1.

    Where proxies are observed again, in the role target, nobody measured their multispectral image: there `degradation`
    must name a `response` with as many channels as the measured image has.

    Args:
        root: file or folder.
        folders: other names of the two folders, the hyperspectral images' first.
        suffixes: other ends of the stems, the hyperspectral images' first.
        wavelengths: centres of the hyperspectral bands in nm, a list or FIRST:LAST:COUNT; None takes those of the file.
        multispectral_wavelengths: centres of the multispectral channels in nm; None takes those of the file, or numbers
            the channels from 1.
        hyperspectral_key: the array, in files that hold several.
        multispectral_key: the array, in files that hold several.
        hyperspectral_axes: order of the axes (`CHW`, `HWC`, ...), where the format does not say it.
        multispectral_axes: the same of the multispectral images.
        channels: numbers of the multispectral channels to take, from 0, in the order in which a network expects them;
            None takes all.
        scale: what the values of both images are divided by; None takes the larger of their two maxima.
        multispectral_scale: what multispectral values are divided by instead: a number, or `own` for their maximum.
        trained_wavelengths: see `datamodules.Folder`.
        bands: see `datamodules.Folder`.
        nan: see `datamodules.Folder`; where a multispectral value is missing, all bands of the output are. With `keep`
            training and Wald's protocol take the largest rectangle of each scene that lacks no value.
        response: the multispectral sensor: a packaged table, a CSV file, or `estimate` from the first pair; for methods
            that know their sensors, and for observing proxies again. None: nobody knows it.
        psf: `estimate` finds the hyperspectral sensor's blur from the first pair; None takes the one of `degradation`.
        register: find by how much the hyperspectral pixels of each pair lie beside their place, and undo it.
        tiles: into how many rows and columns of scenes each pair is cut for training and Wald's protocol, named
            `<stem>_00`, ... row by row; 1 leaves it whole. Tiles are neighbours on the ground.
        **options: see `SceneDataModule`. Without `degradation` it is the reduction by q of a sensor whose blur is as
            wide as its pixels.

    Raises:
        ValueError: for a number outside of its range, or an unknown rule.
    """

    measured_kinds: ClassVar[tuple[MeasuredKind, ...]] = ("multispectral",)
    """The second sensor's image lies beside the scene."""

    def __init__(
        self,
        root: str,
        *,
        folders: list[str] | None = None,
        suffixes: list[str] | None = None,
        wavelengths: list[float] | str | None = None,
        multispectral_wavelengths: list[float] | None = None,
        hyperspectral_key: str | None = None,
        multispectral_key: str | None = None,
        hyperspectral_axes: str | None = None,
        multispectral_axes: str | None = None,
        channels: list[int] | None = None,
        scale: float | None = None,
        multispectral_scale: PairScale = None,
        trained_wavelengths: list[float] | str | None = None,
        bands: BandRule = "refuse",
        nan: MaskRule = "refuse",
        response: str | None = None,
        psf: Literal["estimate"] | None = None,
        register: bool = False,
        tiles: int = 1,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if tiles < 1:
            raise InputError(f"{tiles} tiles a side are not possible: give at least 1.")
        check_scale(scale, multispectral_scale)
        if channels == []:
            raise InputError("FusionPair got channels=[]: number at least one from 0, or leave it out to take all.")
        if psf not in (None, "estimate"):
            raise InputError(f"FusionPair got psf={psf!r}: give estimate, or name the blur in `degradation`.")
        for name, value, choices in (("bands", bands, get_args(BandRule)), ("nan", nan, get_args(MaskRule))):
            if value not in choices:
                raise InputError(f"FusionPair got {name}={value!r}: choose one of {', '.join(choices)}.")
        self.root = Path(root)
        self.tiles, self.bands, self.nan = tiles, bands, nan
        self._whole_parts: dict[str, tuple[int, int, int, int]] = {}
        self.response, self.psf, self.register = response, psf, register
        centres, trained = (
            None if given is None else band_centres(given, f"data.init_args.{name}")
            for given, name in ((wavelengths, "wavelengths"), (trained_wavelengths, "trained_wavelengths"))
        )
        self.trained_wavelengths = trained
        self.reader = PairReader(
            self.root,
            check_names("folders", FOLDERS if folders is None else folders),
            check_names("suffixes", SUFFIXES if suffixes is None else suffixes),
            (hyperspectral_key, multispectral_key),
            (hyperspectral_axes, multispectral_axes),
            (centres, multispectral_wavelengths),
            scale,
            multispectral_scale,
            None if channels is None else tuple(channels),
        )

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Centres of the hyperspectral bands in nm, given or from the first file.

        Raises:
            ValueError: if neither says them.
        """
        return self.stated_wavelengths(self.reader.open(next(iter(self.pairs_found().values())), 0))

    def scene_names(self) -> tuple[str, ...]:
        """Return the pairs by the stems of their files, or their tiles.

        Raises:
            FileNotFoundError: if there is no pair.
        """
        stems = self.pairs_found()
        if self.tiles == 1:
            return tuple(stems)
        return tuple(f"{stem}_{tile:02d}" for stem in stems for tile in range(self.tiles**2))

    def read_scene(self, name: str) -> Scene:
        """Read the hyperspectral image, the target, where the multispectral one lies.

        Raises:
            FileNotFoundError: if its file is missing.
            ValueError: if a file is damaged, or the two images do not lie on each other.
        """
        stem, window = self._place(name)
        pair = self.opened(stem)
        shift = self.shift(pair)
        if shift == (0.0, 0.0):
            values = _floats(pair.hyperspectral, window)
        else:
            shape, ratio = pair.hyperspectral.shape, pair.ratio
            values, *_ = moved_window(pair.hyperspectral.complete, window, shape, shift, ratio)
        cube = torch.from_numpy(values).div_(self.reader.scales(pair)[0])
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
        pair = self.opened(stem)
        row, column, height, width = (side * pair.ratio for side in window)
        values = _floats(pair.multispectral, (row, column, height, width))
        if self.reader.channels is not None:
            values = values[list(self.reader.channels)]
        image = torch.from_numpy(values).div_(self.reader.scales(pair)[1])
        if pair.ratio > 1:
            image = torch.nn.functional.avg_pool2d(image, pair.ratio)
        return Scene(name, image, self.reader.channel_centres(pair.multispectral))

    def told_of(self, scene: MappedScene, captions: Mapping[str, str]) -> str:
        """Return the caption of a pair or of its tile: that of the tile, else of the pair, with the regions in it.

        Args:
            scene: the hyperspectral image or its tile, in whose pixels regions are told.
            captions: by stem, boxes in pixels of the multispectral image.
        """
        stem, window = self._place(scene.name)
        caption = captions.get(scene.name) or captions.get(stem, scene.caption)
        if not isinstance(caption, RegionCaption):
            return caption
        pair = self.opened(stem)
        self.check_caption(stem, caption, pair.multispectral)
        return caption.within(Window(*window).enlarged(pair.ratio), pair.ratio)

    def fingerprint(self, name: str) -> str:
        """Return a hash of paths, sizes and times of the files and of the settings."""
        stem, window = self._place(name)
        settings = f"{window} {self.reader} {self.wavelengths} {self.shift(self.opened(stem))}"
        return file_states_digest(settings, self.source_files(name))

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the file of both images, or of each."""
        stem, _ = self._place(name)
        return tuple(dict.fromkeys(self.pairs_found()[stem]))

    @property
    def test_set_names(self) -> list[str]:
        """Names of the test sets: by Wald's protocol, and at full size where the second image has finer pixels."""
        names = super().test_set_names or (["validation"] if self.role == "source" else [])
        return [*names, *([FULL_SIZE] if self._finer() else [])]

    def test_dataloader(self) -> list[DataLoader[Sample]]:
        """Return whole scenes by Wald's protocol, then whole pairs at full size where one has finer pixels.

        Without `validation` in the role source all pairs are tested.
        """
        if self.role == "source" and not self.names("validation"):
            loaders = [self.pairs_loader(self.scene_names())]
        else:
            loaders = super().test_dataloader()
        if finer := self._finer():
            captions = self._scene_captions()
            pairs = FullSizePairs([self.open_scene(pair, caption=captions.get(pair.stem, "")) for pair in finer])
            sampler = EvaluationSampler(pairs, *world())
            loaders.append(DataLoader(pairs, batch_size=1, sampler=sampler, collate_fn=collate))
        return loaders

    def use_training_scenes(self, scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        """Draw training patches from these scenes; see `SceneDataModule.use_training_scenes`.

        Raises:
            ValueError: also if scenes without a measured multispectral image would be seen through a response with
                another number of channels than the measured images have.
        """
        task = self.degradation
        simulated = [scene for scene in scenes if scene.multispectral is None]
        if simulated and isinstance(task, FusionObservation):
            measured = len(self.reader.picked(self.reader.open(next(iter(self.pairs_found().values())), 1)).kept)
            if task.response is None or (channels := len(task.response.channels)) != measured:
                seen = "no response" if task.response is None else f"the {channels} channels of the response "
                raise InputError(
                    f"The training scene {simulated[0].name!r} would be seen by {seen}"
                    f"{'' if task.response is None else task.response.name}, but the multispectral images of "
                    f"{type(self).__name__} have {measured} channels: name the CSV file of that sensor as "
                    "data.init_args.response, or set it to estimate."
                )
        super().use_training_scenes(scenes, weights)

    def pairs_found(self) -> dict[str, PairPaths]:
        """Return the two files of every pair by its stem; one file twice where it holds both."""
        return self.reader.find()

    def _finer(self) -> list[OpenPair]:
        """The pairs whose multispectral image has finer pixels."""
        return [pair for pair in map(self.opened, self.pairs_found()) if pair.ratio > 1]

    def _place(self, name: str) -> tuple[str, tuple[int, int, int, int]]:
        """Return the pair that a scene belongs to, and its window in the hyperspectral image."""
        names = self.scene_names()
        if name not in names:
            raise InputError(f"There is no pair {name!r} in {self.root}: name one of {', '.join(names[:5])}.")
        tile = names.index(name) % self.tiles**2
        stem = name if self.tiles == 1 else name.rpartition("_")[0]
        _, height, width = self.opened(stem).hyperspectral.shape
        row, column = divmod(tile, self.tiles)
        height, width = height // self.tiles, width // self.tiles
        if min(height, width) < 1:
            raise InputError(f"The pair {stem!r} is too small for {self.tiles} tiles a side: give fewer `tiles`.")
        if self.nan == "refuse":
            return stem, (row * height, column * width, height, width)
        if name not in self._whole_parts:
            pair, place = self.opened(stem), (row * height, column * width, height, width)
            files = (pair.hyperspectral, pair.multispectral)
            self._whole_parts[name] = whole_part(stem, *files, pair.ratio, place)
        return stem, self._whole_parts[name]


def _floats(file: CubeFile, window: tuple[int, int, int, int]) -> NDArray[np.float32]:
    return np.ascontiguousarray(file.complete(*window), dtype=np.float32)
