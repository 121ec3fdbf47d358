"""A folder of measured cubes as something to adapt to: the files are the observations, and nothing else is needed."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, get_args

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from datamodules.degradations import Degradation, EstimatedNoise, one_task
from datamodules.sampling.batches import EvaluationSampler, Sample, collate
from datamodules.sampling.crops import Crop, drawn_crops
from datamodules.sampling.measured_parts import ReadCubes, ScoredCubes, clean_files, shows_something
from datamodules.sampling.patches import PatchDataset, TrainingScenes, epoch_batches, training_loader
from datamodules.sampling.relighting import Relighting
from datamodules.sampling.replay import SourceReplay
from datamodules.sampling.target_settings import TargetSettings
from datamodules.scenes import MappedScene, Observation, ReadObservation
from datamodules.scenes.failures import incomplete
from datamodules.scenes.folder_scene import FolderScene
from datamodules.scenes.measured import MeasuredKind
from datamodules.scenes.readers import CubeFile
from datamodules.splits.chosen import Chosen, parted
from hyperalign.errors import InputError
from hyperalign.ranks import world

_log = logging.getLogger(__name__)

_CONSTANT = "It is constant in every band, as black or saturated cubes are"

Role = Literal["restore", "target"]
"""Cubes to be restored, or cubes to be adapted to."""


@dataclass(frozen=True)
class _Part:
    """A part of a scene that was read and shows something: its name, its place, its bands."""

    name: str
    crop: Crop
    bands: int


class FolderTarget(LightningDataModule):
    """The part of `datamodules.Folder` that adaptation uses (see `datamodules.target.AdaptationTarget`).

    Args:
        role: `restore`, for `hyperalign predict`; or `target`, to adapt and to test.
        degradation: the task, for a target; None estimates noise from the observations; of a list, one is drawn for
            every patch (`datamodules.SeveralTasks`).
        observed: the cubes to adapt to, by names or patterns, or as a share; None takes all that are not unobserved.
        unobserved: the cubes to test on alone; None takes the others, where observed ones are named.
        clean_root: folder of clean cubes called as the observed ones, for the scores of a test; None has none.
        crop: scenes with more pixels than this along an axis are adapted to in crops of this side.
        crops_per_scene: crops of such a scene.
        patch_size: side of the training patches in pixels.
        patches_per_epoch: patches in an epoch, over all ranks.
        batch_size: patches in a batch, on each rank.
        num_workers: processes that load training patches.
        seed: fixes crops, patches and the replayed degradation.
        relighting: puts proxies and synthesised scenes under other lights before they are degraded; None leaves them.
        replay: clean source scenes of the same bands that are trained on beside them; None has none.
        patch_pool: how many different training patches there are, after which they come again with the same noise; None
            draws new ones without end.

    Raises:
        ValueError: for a number below its minimum, or crops that are smaller than patches.
    """

    root: Path
    strict: bool
    failures: dict[str, str]

    def __init__(
        self,
        *,
        role: Role = "restore",
        degradation: Degradation | list[Degradation] | None = None,
        observed: Chosen = None,
        unobserved: Chosen = None,
        clean_root: str | None = None,
        crop: int = 512,
        crops_per_scene: int = 4,
        patch_size: int = 48,
        patches_per_epoch: int = 256,
        batch_size: int = 4,
        num_workers: int = 0,
        seed: int = 0,
        relighting: Relighting | None = None,
        replay: SourceReplay | None = None,
        patch_pool: int | None = None,
    ) -> None:
        super().__init__()
        if role not in get_args(Role):
            raise InputError(f"Folder got role={role!r}: choose one of {', '.join(get_args(Role))}.")
        self.role = role
        self.settings = TargetSettings(
            one_task(degradation) or EstimatedNoise(),
            observed,
            unobserved,
            None if clean_root is None else Path(clean_root),
            crop,
            crops_per_scene,
            patch_size,
            patches_per_epoch,
            batch_size,
            num_workers,
            seed,
            relighting,
            replay,
            patch_pool,
        )
        self._training_scenes = TrainingScenes()

    @abstractmethod
    def present_scenes(self) -> tuple[FolderScene, ...]:
        """Open every cube, its bands matched to the network's."""

    @property
    @abstractmethod
    def wavelengths(self) -> tuple[float, ...]:
        """Centres in nm of the network's bands."""

    @abstractmethod
    def open_clean(self, path: Path) -> CubeFile:
        """Open a clean cube as the observed ones are opened."""

    @property
    def degradation(self) -> Degradation:
        """How proxies and synthesised scenes are degraded in training; the observations are measured."""
        return self.settings.degradation

    @property
    def measured_kinds(self) -> tuple[MeasuredKind, ...]:
        """What was measured: the observations."""
        return ("observation",)

    @property
    def patch_size(self) -> int:
        """Side of the training patches in pixels."""
        return self.settings.patch_size

    @property
    def smallest_side(self) -> int:
        """Rows or columns of the smallest observed cube or crop, in which a training patch must fit."""
        sides = [size for scene in self._subsets["observed"] for size in scene.file.shape[1:]]
        return min(self.settings.crop, *sides)

    @property
    def seed(self) -> int:
        """Fixes crops, patches and the replayed degradation."""
        return self.settings.seed

    @cached_property
    def _subsets(self) -> dict[str, list[FolderScene]]:
        scenes = self.present_scenes()
        names = [scene.name for scene in scenes]
        seen, held = parted(self.settings.observed, self.settings.unobserved, names)
        return {
            "observed": [scene for scene in scenes if scene.name in seen],
            "unobserved": [scene for scene in scenes if scene.name in held],
        }

    def observations(self) -> list[Observation]:
        """Return the observed cubes, or crops of the large ones, as the network sees them; the task learns from them.

        Raises:
            InputError: in the role `restore`; if no cube can be used, or a clean one is wrong.
        """
        if self.role != "target":
            raise InputError("Folder has observations only in the role target: set data.init_args.role to target.")
        centres, found = self.wavelengths, list[Observation]()
        # What is wrong with the clean cubes is told before the work, not in the test after it.
        _ = self._clean
        for scene in tuple(self._subsets["observed"]):
            for part in self._sound_parts(scene, self.patch_size):
                size = (part.bands, part.crop.height, part.crop.width)
                found.append(ReadObservation(part.name, partial(self._cube, scene, part.crop), size, centres))
        self._check(found)
        self.degradation.measure(ReadCubes(found), [one.name for one in found], centres)
        return found

    def use_training_scenes(self, scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        """Draw training patches from these scenes from the next epoch on.

        Args:
            scenes: scenes on disk, with one set of wavelengths.
            weights: how often each is drawn, relative to the others; None draws all equally often.

        Raises:
            InputError: for no scenes, differing wavelengths, wrong weights, or a cube of `clean_root`.
        """
        if self.settings.replay is not None:
            scenes, weights = self.settings.replay.beside(scenes, weights)
        if found := [scene for scene in scenes if self.is_clean(scene.path)]:
            raise InputError(f"The training scene {found[0].path} is clean, which adaptation must not see.")
        self._training_scenes.exchange(scenes, weights)

    def training_scene(self, name: str) -> MappedScene:
        """Return the whole scene that patches of this name are drawn from now."""
        return self._training_scenes.find(name)

    def clean_scenes(self) -> list[MappedScene]:
        """Return nothing: what `clean_root` holds is for the scores of a test alone."""
        return []

    def is_clean(self, path: Path) -> bool:
        """Tell whether a file lies in `clean_root`."""
        root = self.settings.clean_root
        return root is not None and path.resolve().is_relative_to(root.resolve())

    def training_batches(self, ranks: int) -> int:
        """Return the batches of an epoch on each of so many ranks, before there is a loader."""
        return epoch_batches(self.settings.patches_per_epoch, self.settings.batch_size, ranks)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return the loader of training patches.

        Raises:
            InputError: if nothing has been made to train on.
        """
        if not len(self._training_scenes):
            raise InputError(
                "Folder has only degraded cubes and nothing to train on: add hir_align/adapt, which makes proxies and "
                "synthesised scenes of them."
            )
        options = self.settings
        dataset = PatchDataset(
            self._training_scenes,
            options.degradation,
            options.patch_size,
            options.patches_per_epoch,
            options.seed,
            options.relighting,
            options.patch_pool,
        )
        return training_loader(dataset, options.batch_size, options.num_workers, self.trainer, collate)

    def val_dataloader(self) -> list[DataLoader[Sample]]:
        """Return nothing: no clean cube may steer adaptation."""
        return []

    @property
    def test_set_names(self) -> list[str]:
        """Names of the test sets in the order of `test_dataloader`."""
        return [name for name, scenes in self._subsets.items() if scenes]

    def test_dataloader(self) -> list[DataLoader[Sample]]:
        """Return one loader per name in `test_set_names`: observations, with their clean cubes where there are any.

        Raises:
            InputError: if no cube can be used.
        """
        loaders, clean = [], self._clean
        for name in self.test_set_names:
            parts = [
                (scene, part.name, part.crop, clean.get(scene.name))
                for scene in tuple(self._subsets[name])
                for part in self._sound_parts(scene)
            ]
            if not parts:
                continue
            dataset = ScoredCubes(parts, self.wavelengths)
            sampler = EvaluationSampler(dataset, *world())
            loaders.append(DataLoader(dataset, batch_size=1, sampler=sampler, collate_fn=collate))
        if not loaders:
            raise self._nothing()
        return loaders

    def _sound_parts(self, scene: FolderScene, patch: int = 1) -> list[_Part]:
        """Return the parts of a scene that are looked at, each read once.

        A scene that cannot be used is named in `failures` and left out for good, so that the others go on.

        Args:
            scene: the scene.
            patch: side of the patches that are to be drawn from it; a test draws none.

        Raises:
            InputError: for such a scene if it is the only one, or the first one is to stop the run.
        """
        parts = []
        try:
            for name, crop in self._crops(scene, patch):
                cube = self._cube(scene, crop)
                if shows_something(cube):
                    parts.append(_Part(name, crop, len(cube)))
        except (ValueError, OSError) as error:
            if self.strict or sum(map(len, self._subsets.values())) + len(self.failures) == 1:
                raise
            return self._leave_out(scene, str(error))
        return parts or self._leave_out(scene, f"{_CONSTANT}: leave {scene.name} out.")

    def _leave_out(self, scene: FolderScene, sentence: str) -> list[_Part]:
        """Name a scene that cannot be used, and go on without it."""
        self.failures[scene.name] = sentence
        _log.warning("The cube %s is left out: %s", scene.name, sentence)
        for scenes in self._subsets.values():
            if scene in scenes:
                scenes.remove(scene)
        return []

    def _nothing(self) -> InputError:
        """Return why no cube is left, in one sentence."""
        if not all(sentence.startswith(_CONSTANT) for sentence in self.failures.values()):
            return incomplete(self.failures, "used")
        return InputError(
            f"All observed cubes of {self.root} are constant, black or saturated: give data.init_args.root cubes "
            "that show something."
        )

    def _crops(self, scene: FolderScene, patch: int) -> list[tuple[str, Crop]]:
        options = self.settings
        _, height, width = scene.file.shape
        least = options.degradation.measured_side
        if min(height, width, options.crop) < least:
            seen = f"{height} x {width} pixels" if options.crop >= least else f"crops of {options.crop} pixels"
            raise InputError(
                f"The cube {scene.file.path} has {seen}, too few to estimate its noise: give at least "
                f"{least} x {least}."
            )
        if min(height, width) < patch:
            raise InputError(
                f"The cube {scene.file.path} has {height} x {width} pixels, fewer than a training patch of "
                f"{patch} x {patch}: set a smaller data.init_args.patch_size."
            )
        crops = drawn_crops(scene, options.crop, options.crops_per_scene, options.seed)
        if len(crops) == 1:
            return [(scene.name, crops[0])]
        return [(f"{scene.name} at {crop.row}, {crop.column}", crop) for crop in crops]

    def _cube(self, scene: FolderScene, crop: Crop) -> torch.Tensor:
        return torch.from_numpy(scene.window(crop.row, crop.column, crop.height, crop.width)[0])

    def _check(self, found: Sequence[Observation]) -> None:
        if not found:
            raise self._nothing()
        if len(self._subsets["observed"]) == 1:
            _log.warning(
                "Only one cube is observed: what is learned of it is tested on %s.",
                "other cubes" if self._subsets["unobserved"] else "nothing else",
            )

    @cached_property
    def _clean(self) -> dict[str, FolderScene]:
        """The clean cubes, opened, by the names of those that they are the truth of."""
        root = self.settings.clean_root
        if root is None:
            return {}
        scenes = [scene for part in self._subsets.values() for scene in part]
        paths = clean_files(root, [scene.name for scene in scenes])
        for scene in scenes:
            if scene.name in paths and paths[scene.name].resolve() == scene.file.path.resolve():
                raise InputError(
                    f"The clean cube {paths[scene.name]} is the observation itself: set data.init_args.clean_root to "
                    "another folder, or leave it out."
                )
        return {scene.name: scene.beside(self.open_clean(paths[scene.name])) for scene in scenes if scene.name in paths}
