"""Writes the cubes of a folder, restored, to files of their own format: what `hyperalign predict --output` does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from torch import Tensor

from callbacks.prediction.records import is_finished, scene_settings, write_record
from callbacks.prediction.restored_cube import OutputType, RestoredCube
from callbacks.prediction.sensor_picture import save_sensors
from datamodules.pairs.pair_scene import PairScene
from datamodules.sampling.tile_stream import StreamedData, StreamedScene, Tiling
from datamodules.scenes.failures import failure_table, incomplete
from hyperalign.errors import FileAccessError, InputError, WrongTypeError
from hyperalign.files import beside, remove_stale_files
from hyperalign.ranks import Ranks
from hyperalign.trainers import datamodule_of
from lightning_modules.restorer import FILE_TILE, WHOLE, Restorer, restorer_of
from lightning_modules.restorer.tiles import OVERLAP, SOLVED_OVERLAP, check_tile, tile_starts
from lightning_modules.solver_guided import scene_wide

log = logging.getLogger(__name__)

WHOLE_VALUES = 1 << 25
"""Values of a cube, 512 x 512 x 128, that what must see scenes whole is given at once; larger ones come in tiles."""


class PredictionWriter(Callback):
    """Restores every cube of a folder, or fuses every pair, in overlapping, blended tiles and writes it.

    The data are a `datamodules.Folder` or `FusionPair`, or others that are `StreamedData`. Each cube keeps its path
    below the folder, its format, its wavelengths and its place on the ground. It appears when it is complete, with a
    record of its settings (`NAME.json`), a quick-look (`NAME.restored.png`, observation left, restored right) and
    spectra (`NAME.spectra.png`) beside it. Memory is bounded by one row of tiles.

    Args:
        folder: where restored cubes go; None writes nothing, and predictions are handed to the caller.
        resume: skip cubes that are complete and were made with the same checkpoint and settings.
        dtype: type of the written values. `same` as the observation's; `float32`; `uint16`, in which floating
            observations have white at 65535 and the header says the factor. Whole numbers are rounded and clipped.
        tile: side of the tiles in pixels of the observation; None takes the module's, which is 256 if it has none.
            What must see scenes whole, as most solvers and the networks that start at one must, is given them whole up
            to 512 x 512 x 128 values, and larger ones in tiles as if each were a scene.
        batch_size: tiles that the network is given at once.
        pictures: leave quick-looks and spectra.

    Raises:
        ValueError: for a setting that is unknown or too small.
    """

    def __init__(
        self,
        folder: str | None = None,
        resume: bool = False,
        dtype: OutputType = "same",
        tile: int | None = None,
        batch_size: int = 1,
        pictures: bool = True,
    ) -> None:
        check_tile(tile, "PredictionWriter")
        if dtype not in get_args(OutputType):
            raise InputError(f"PredictionWriter got dtype={dtype!r}: choose one of {', '.join(get_args(OutputType))}.")
        if batch_size < 1:
            raise InputError(f"PredictionWriter got batch_size={batch_size}: give at least 1.")
        self.folder = None if folder is None else Path(folder)
        self.resume = resume
        self.dtype = dtype
        self.tile = tile
        self.batch_size = batch_size
        self.pictures = pictures
        self.written: list[Path] = []
        """Files written by the last prediction, on this rank."""
        self._tiling = Tiling(tile or 0, tile_starts, batch_size)
        self._restorer: Restorer
        self._data: StreamedData
        self._said = False
        self._overlap = OVERLAP
        self._shared: dict[str, Any] = {}
        self._cube: RestoredCube | None = None
        self._finished = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check, before anything is opened, that there is something to write and where to; ask the data for tiles.

        Raises:
            TypeError: if the data are no folder of cubes, or the module fuses pairs.
            ValueError: if outputs would lie among inputs.
            OSError: if the output folder cannot be made.
        """
        if stage != "predict" or self.folder is None:
            return
        data = datamodule_of(trainer)
        if not isinstance(data, StreamedData):
            found = "there are none" if data is None else f"they are {type(data).__name__}"
            raise WrongTypeError(
                f"PredictionWriter writes the cubes of a folder, but as data {found}: predict with --data Folder "
                "--data.root and the folder of your cubes, with --data FusionPair for pairs of images, or without "
                "--output."
            )
        restorer = restorer_of(pl_module, "PredictionWriter")
        check_needs(restorer, data, type(pl_module).__name__)
        check_output(self.folder, data)
        self.written, self._shared, self._finished, self._said = [], {}, 0, False
        self._restorer, self._data = restorer, data
        side = self.tile or restorer.tile or restorer.file_tile
        # A scene that the network must see whole is cut for its backbone alone, see `restored_by`.
        wide = side == WHOLE or scene_wide(pl_module) is not None
        side = self.tile or FILE_TILE if wide else side
        self._overlap = SOLVED_OVERLAP if wide else OVERLAP
        starts = partial(tile_starts, overlap=self._overlap)
        self._tiling = Tiling(side, starts, self.batch_size, WHOLE_VALUES if wide else 0)
        data.stream(self._tiling, self._wanted)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep Lightning from collecting the tiles in memory."""
        if self.folder is not None:
            trainer.predict_loop.return_predictions = False

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's own signature
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Blend the tiles of a batch into their cube, and finish the cube after its last one."""
        if self.folder is None:
            return
        data = self._data
        missing = batch.get("missing")
        for index, (number, top, left) in enumerate(batch["tiles"]):
            scene = data.streamed[number]
            if scene.name in data.failures:
                continue
            if self._cube is not None and self._cube.scene is not scene:
                # It could not be read to its end.
                self._abandon()
            holes = None if missing is None else missing[index]
            try:
                self._add(scene, (top, left), (batch["observation"][index], outputs[index], holes))
            except ValueError as error:
                self._abandon()
                data.fail(scene, error)

    def _add(
        self,
        scene: StreamedScene,
        place: tuple[int, int],
        tile: tuple[Tensor, Tensor, Tensor | None],
    ) -> None:
        """Blend one tile, what was observed, restored and missing, into its cube, and finish it after the last one."""
        asked = self._asked(scene)
        if self._cube is None:
            side = self._tiling.side_of(scene.file.shape)
            self._cube = RestoredCube(scene, asked, side, self.dtype, self._restorer.name, self.pictures, self._overlap)
            if "bands not drawn on" in self._cube.notes:
                log.warning("%s: %s.", scene.file.path, self._cube.notes["bands not drawn on"])
        observed, restored, holes = tile
        if self._cube.add(*place, observed, restored, holes):
            written, notes = self._cube.close(), self._cube.notes
            self._cube = None
            write_record(asked, written, self._settings(scene), notes)
            if isinstance(scene, PairScene) and scene.sensors is not None:
                save_sensors(beside(written, ".sensors.png"), scene.sensors, scene.file.wavelengths or ())
            self.written.append(written)
            log.info("%s written", written)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Name the cubes that could not be restored.

        Raises:
            IncompleteError: if there are any, on this rank or another.
        """
        if self.folder is None:
            return
        self._abandon()
        mine = self._data.failures
        failures = {name: sentence for part in Ranks().gathered(mine) for name, sentence in part.items()}
        if not failures:
            return
        if trainer.is_global_zero:
            Console().print(failure_table(failures, "restored"), markup=False, highlight=False)
            self._say(trainer)
        raise incomplete(failures, "restored")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Remove the unfinished file."""
        self._abandon()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Say what was done; remove the unfinished file of a prediction that was limited to some batches."""
        self._abandon()
        if stage == "predict":
            self._say(trainer)

    def _say(self, trainer: Trainer) -> None:
        if self.folder is not None and trainer.is_global_zero and not self._said:
            skipped = f", {self._finished} were finished already" if self._finished else ""
            count = f"{len(self.written)} cube{'s' if len(self.written) != 1 else ''}"
            Console().print(f"{count} restored to {self.folder}{skipped}.", highlight=False, soft_wrap=True)
            self._said = True

    def _abandon(self) -> None:
        if self._cube is not None:
            self._cube.abandon()
            self._cube = None

    def _asked(self, scene: StreamedScene) -> Path:
        assert self.folder is not None  # noqa: S101 - asked only while writing
        return self.folder / scene.name

    def _wanted(self, scene: StreamedScene) -> bool:
        for file in scene.cube_files:
            if self._asked(scene).resolve() == file.path.resolve():
                raise InputError(_among(self._asked(scene).parent, file.path.parent))
        if not self.resume or not is_finished(self._asked(scene), self._settings(scene)):
            return True
        self._finished += 1
        return False

    def _settings(self, scene: StreamedScene) -> dict[str, Any]:
        """Everything that a restored file depends on."""
        if not self._shared:
            self._shared = {
                **self._restorer.identity(),
                "network": self._restorer.name,
                "dtype": self.dtype,
            }
        tile = [self._tiling.side_of(scene.file.shape), self._restorer.tile, self._overlap]
        return {**self._shared, "tile": tile, **scene_settings(scene)}


def check_needs(restorer: Restorer, data: StreamedData, owner: str) -> None:
    """Refuse single cubes for what fuses pairs.

    Args:
        restorer: what is to restore.
        data: what is to be restored.
        owner: class of the module, for the sentence.

    Raises:
        WrongTypeError: naming what to take instead.
    """
    kind = type(data).__name__
    if not set(restorer.needs) <= set(data.delivers):
        raise WrongTypeError(
            f"{owner} does not restore single cubes, and {kind} has no pairs of images: predict with a "
            "RestorationModule, or give --data FusionPair --data.root and the folder of your pairs."
        )


def check_output(folder: Path, data: StreamedData) -> None:
    """Make the output folder, unless a recursive search for cubes would find what lies in it.

    Raises:
        ValueError: if it would.
        OSError: if the folder cannot be made.
    """
    if data.recursive and folder.resolve().is_relative_to(data.root.resolve()):
        raise InputError(_among(folder, data.root))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What killed processes left may be as large as the cubes.
        remove_stale_files(folder)
    except OSError as error:
        raise FileAccessError(
            f"The output folder {folder} cannot be made ({error.strerror or error}): set --output to another one."
        ) from error


def _among(folder: Path, observations: Path) -> str:
    return (
        f"The restored cubes would go to {folder}, among the observations in {observations}: set --output to a folder "
        "outside of them."
    )
