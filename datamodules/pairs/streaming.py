"""Pairs as they are, in tiles: what `predict` fuses and writes."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from datamodules.base import SceneDataModule
from datamodules.degradations import Degradation, FusionObservation
from datamodules.pairs.grid import check_ground
from datamodules.pairs.layouts import PairPaths
from datamodules.pairs.pair_scene import PairScene, Shift
from datamodules.pairs.place import fused_template
from datamodules.pairs.reader import OpenPair, PairReader, middle_of
from datamodules.pairs.sensors import SensorEstimate, estimate_sensors
from datamodules.responses import SpectralResponse, load_response
from datamodules.sampling.batches import EvaluationSampler, Sample, collate
from datamodules.sampling.full_scenes import FullSceneDataset
from datamodules.sampling.tile_stream import StreamedScene, TileStream, Tiling
from datamodules.scenes.band_matching import BandRule, match_bands
from datamodules.scenes.failures import incomplete
from datamodules.scenes.folder_scene import FolderScene, MaskRule
from datamodules.scenes.readers import CubeFile
from hyperalign.errors import InputError
from hyperalign.ranks import world

__all__ = ["StreamedPairs"]

_log = logging.getLogger(__name__)
_SCALES = "data.init_args.scale and data.init_args.multispectral_scale to what the values are divided by"


class StreamedPairs(SceneDataModule):
    """A DataModule of pairs whose prediction comes in tiles; `datamodules.FusionPair` says which pairs there are.

    Args:
        **options: see `SceneDataModule`.
    """

    recursive: bool = False
    """Pairs are looked for in their folder alone."""
    root: Path
    reader: PairReader
    bands: BandRule
    nan: MaskRule
    trained_wavelengths: tuple[float, ...] | None
    response: str | None = None
    psf: str | None = None
    register: bool = False

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._task: Degradation | None = options.get("degradation")
        self._observed_by: Degradation | None = None
        self._estimates: dict[str, SensorEstimate] = {}
        self.failures: dict[str, str] = {}
        """One sentence for each pair that cannot be fused, by its name; of this rank."""
        self.streamed: tuple[PairScene, ...] = ()
        """The pairs of the present prediction by their numbers."""
        self._tiling: Tiling | None = None
        self._collects = False
        self._wanted: Callable[[PairScene], bool] = lambda _: True
        # With more ranks than pairs some ranks have none.
        self.allow_zero_length_dataloader_with_multiple_devices = True

    @abstractmethod
    def pairs_found(self) -> dict[str, PairPaths]:
        """Return the two files of every pair by its stem; one file twice where it holds both."""

    @property
    def degradation(self) -> Degradation:
        """The task: the one given, or the reduction by the pairs' own ratio, as wide as a hyperspectral pixel.

        Raises:
            InputError: if none is given and the multispectral image has no finer pixels.
        """
        if self._task is None:
            pair = self.opened(next(iter(self.pairs_found())))
            if pair.ratio == 1:
                raise InputError(
                    f"Both images of {pair.stem!r} have the same pixels, so nothing says by how much Wald's protocol "
                    "reduces them: add --config tasks/fusion with --data.degradation.ratio."
                )
            self._task = FusionObservation(pair.ratio, "block_centred", response=None)
        if self._observed_by is None and isinstance(self._task, FusionObservation):
            self._observed_by = self._with_sensors(self._task)
        return self._observed_by or self._task

    @degradation.setter
    def degradation(self, task: Degradation) -> None:
        """Take another task."""
        self._task, self._observed_by = task, None

    @property
    def known_response(self) -> SpectralResponse | None:
        """Response of the multispectral sensor: told, estimated, or, in the role target, the task's."""
        return super().known_response if self.role == "target" or self.response is not None else None

    @property
    def delivers(self) -> tuple[str, ...]:
        """Keys of a batch that a restorer may need."""
        return ("observation", "multispectral", "caption")

    def prepare_data(self) -> None:
        """Build the cached cubes of Wald's protocol; a prediction reads the files as they are and needs none."""
        if self.trainer is None or not self.trainer.predicting:
            super().prepare_data()

    def stream(self, tiling: Tiling | None, wanted: Callable[[Any], bool]) -> None:
        """Say how pairs are cut and which are wanted; a later `predict_dataloader` follows it.

        Args:
            tiling: how they are cut, in hyperspectral pixels; None leaves them whole.
            wanted: tells, of every pair, whether it is to be fused.
        """
        self._tiling, self._wanted, self._collects = tiling, wanted, True

    def fail(self, scene: StreamedScene, error: Exception) -> None:
        """Take note of a pair that cannot be used, so that the others go on.

        Raises:
            Exception: the error itself, if nobody tells what is in `failures`, or there is no other pair.
        """
        if not self._collects or (len(self.streamed) == 1 and not self.failures):
            raise error
        self.failures[scene.name] = str(error)

    def predict_dataloader(self) -> Any:  # noqa: ANN401 - tiles where other data sets have whole scenes
        """Return this rank's pairs that are wanted, in tiles or whole.

        Raises:
            ValueError: if a pair is damaged, its images do not lie on each other, or its bands are not the network's.
            FileNotFoundError: if there is no pair.
        """
        trained_on = self._network_data()
        trained = self._trained(trained_on)
        self.streamed, self.failures = self.open_scenes(trained)
        if self.failures and not (self._collects and self.streamed):
            raise incomplete(self.failures, "fused")
        ranks, rank = world()
        mine = [scene for scene in self.streamed[rank::ranks] if self._wanted(scene)]
        return TileStream(mine, trained, self._tiling, self.fail)

    def open_scenes(self, trained: tuple[float, ...] = ()) -> tuple[tuple[PairScene, ...], dict[str, str]]:
        """Open every pair and match its bands, reading headers and, without `scale`, the largest values.

        Args:
            trained: centres of the network's bands in nm; empty where it takes those of every pair.

        Returns:
            The pairs, and one sentence for each that cannot be used.

        Raises:
            ValueError: what is wrong with the only pair.
        """
        found = self.pairs_found()
        captions = self._scene_captions()
        scenes: list[PairScene] = []
        failures: dict[str, str] = {}
        for stem in found:
            try:
                scenes.append(self.open_scene(self.opened(stem), len(scenes), trained, captions.get(stem, "")))
            except (ValueError, OSError, ImportError) as error:
                if len(found) == 1:
                    raise
                failures[stem] = str(error)
        return tuple(scenes), failures

    def _scene_captions(self) -> dict[str, str]:
        """Captions by stem; messages call a pair by the file that is written, so that name is a key as well."""
        captions = super()._scene_captions()
        stems = self.pairs_found()
        by_stem = {Path(name).stem: text for name, text in captions.items() if name not in stems}
        return by_stem | captions

    def open_scene(
        self, pair: OpenPair, number: int = 0, trained: tuple[float, ...] = (), caption: str = ""
    ) -> PairScene:
        """Return one pair as a network is given it.

        Args:
            pair: both files.
            number: its place among the pairs.
            trained: centres of the network's bands in nm; empty where it takes those of every pair.
            caption: what is seen.

        Raises:
            ValueError: if the multispectral image has no finer pixels, or the bands are not the network's.
        """
        if pair.ratio == 1:
            raise InputError(
                f"Both images of {pair.stem!r} have the same pixels, so there is nothing to fuse: give a multispectral "
                "image of finer pixels, or test by Wald's protocol."
            )
        self.check_caption(pair.stem, caption, pair.multispectral)
        own = self.stated_wavelengths(pair.hyperspectral)
        match = match_bands(own, trained or own, self.bands, f"The image {pair.hyperspectral.path}")
        scales = self.reader.scales(pair)
        picked = self.reader.picked(pair.multispectral)
        written = fused_template(pair.hyperspectral, pair.multispectral).path
        name = pair.stem if written.is_dir() else f"{pair.stem}{written.suffix}"
        coarse, fine = (
            FolderScene(number, name, file, bands, f"scale:{scale!r}", self.nan, _SCALES)
            for file, bands, scale in zip(
                (pair.hyperspectral, pair.multispectral), (match, picked), scales, strict=True
            )
        )
        task = self.degradation
        phase = task.phase if task.scale == pair.ratio else (pair.ratio - 1) / 2
        return PairScene(coarse, fine, pair.ratio, phase, self.shift(pair), caption, self._estimates.get(pair.stem))

    def pairs_loader(self, names: Sequence[str]) -> DataLoader[Sample]:
        """Return whole scenes one by one, by Wald's protocol."""
        dataset = FullSceneDataset(self.scenes(names), self.degradation, self.seed)
        return DataLoader(dataset, batch_size=1, sampler=EvaluationSampler(dataset, *world()), collate_fn=collate)

    def opened(self, stem: str) -> OpenPair:
        """Open both images of a pair.

        Raises:
            ValueError: if one is damaged, or they do not lie on each other.
        """
        pair = self.reader.opened(stem, self.pairs_found()[stem])
        if not self.register:
            check_ground(stem, pair.hyperspectral, pair.multispectral)
        return pair

    def shift(self, pair: OpenPair) -> Shift:
        """Return by how many multispectral pixels the hyperspectral image lies beside its place, (0, 0) if not asked.

        Raises:
            InputError: if it cannot be estimated.
        """
        return self.estimate(pair).shift if self.register else (0.0, 0.0)

    def estimate(self, pair: OpenPair) -> SensorEstimate:
        """Estimate response, blur and shift of a pair, once, from its middle, on the scale of `reader`.

        Raises:
            InputError: if the images are too small or without contrast.
        """
        if pair.stem not in self._estimates:
            found = estimate_sensors(*middle_of(pair, self.reader), pair.ratio)
            _log.warning("The sensors of %s, estimated: %s.", pair.stem, found.described())
            self._estimates[pair.stem] = found
            if self.register and max(map(abs, found.shift)) >= pair.ratio:
                rows, columns = (math.ceil(abs(along)) for along in found.shift)
                _log.warning(
                    "By this shift the hyperspectral image of %s ends %d rows and %d columns inside of the "
                    "multispectral one, where it is mirrored: leave them out of the product.",
                    pair.stem,
                    rows,
                    columns,
                )
        return self._estimates[pair.stem]

    def _with_sensors(self, task: FusionObservation) -> FusionObservation:
        """The task with the response and the blur that are told or estimated of the first pair."""
        if self.response is None and self.psf is None:
            return task
        pair = self.opened(next(iter(self.pairs_found())))
        spread = self.estimate(pair).blur.separable() if self.psf == "estimate" else None
        response = None
        if self.response == "estimate":
            centres = self.reader.channel_centres(pair.multispectral)
            response = self.estimate(pair).spectral_response(self.stated_wavelengths(pair.hyperspectral), centres)
        elif self.response is not None:
            response = load_response(self.response, None)
        if response is not None and len(response.channels) != len(self.reader.picked(pair.multispectral).kept):
            raise InputError(
                f"The response {response.name} has {len(response.channels)} channels but the multispectral image of "
                f"{pair.stem!r} has {len(self.reader.picked(pair.multispectral).kept)}: set data.init_args.response to "
                "the table of its sensor or to estimate, or data.init_args.channels to the channels that it has."
            )
        return task.observed_by(response, spread)

    def stated_wavelengths(self, file: CubeFile) -> tuple[float, ...]:
        """Return the centres of a hyperspectral image's bands in nm.

        Raises:
            InputError: if nobody says them.
        """
        if file.wavelengths is None:
            raise InputError(
                f"Nobody says the wavelengths of {file.path}: give the centre of each of its {file.shape[0]} bands in "
                "nm as data.init_args.wavelengths, a list or FIRST:LAST:COUNT."
            )
        return file.wavelengths

    def _network_data(self) -> Mapping[str, Any]:
        """What the Trainer's network was trained on, nothing without a Trainer."""
        module = getattr(self.trainer, "lightning_module", None)
        recorded: Mapping[str, Any] = getattr(module, "trained_on", {})
        return recorded

    def _trained(self, trained_on: Mapping[str, Any]) -> tuple[float, ...]:
        """Centres in nm of the network's bands, as its checkpoint or its user says; empty for what takes any."""
        recorded = trained_on.get("wavelengths") or self.trained_wavelengths
        if recorded is None and not trained_on.get("any_bands"):
            raise InputError(
                "The checkpoint does not record the wavelengths that it was trained on: give "
                "data.init_args.trained_wavelengths, in nm, as a list or as FIRST:LAST:COUNT."
            )
        return tuple(recorded or ())
