"""What every data set's DataModule shares: roles, loaders, and the wall between training batches and clean targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lightning import LightningDataModule
from torch.utils.data import DataLoader

from datamodules.degradations import Degradation, FusionObservation, one_task
from datamodules.library import SceneLibrary, Subset
from datamodules.responses import SpectralResponse
from datamodules.sampling.batches import EvaluationSampler, Sample, collate
from datamodules.sampling.full_scenes import FullSceneDataset, ObservationDataset, observe
from datamodules.sampling.patches import PatchDataset, TrainingScenes, epoch_batches, training_loader
from datamodules.sampling.relighting import Relighting
from datamodules.sampling.replay import SourceReplay
from datamodules.scenes import MappedScene, Observation
from datamodules.scenes.checks import check_disjoint
from hyperalign.errors import InputError
from hyperalign.ranks import world

__all__ = ["SceneDataModule", "Subset"]

_TARGET: tuple[Subset, Subset] = ("observed", "unobserved")


class SceneDataModule(SceneLibrary, LightningDataModule):
    """Scenes of one sensor in one of two roles.

    Role `source`: clean scenes are there, training batches are patches of them. Role `target`: of the observed scenes
    only degraded observations may be looked at; training batches come from whatever scenes `use_training_scenes` was
    given (proxies, synthesised scenes), and clean cubes are read for two things only, to simulate the observations
    and to score the test. Batches are `datamodules.sampling.batches.Batch` dictionaries.

    A subclass says which scenes there are and reads one; see `datamodules.CAVE`.

    Args:
        role: `source` or `target`.
        degradation: the task; None is non-iid Gaussian noise with its default levels; of a list, one is drawn for every
            patch and scene (`datamodules.SeveralTasks`).
        training: scenes of the role source to train on; None takes the data set's default.
        validation: scenes of the role source to validate and test on; None takes the data set's default.
        observed: scenes of the role target of which observations exist; None takes the data set's default.
        unobserved: scenes of the role target that are for test only; None takes the data set's default.
        crop: side of the centre crop of every scene in pixels; None uses whole scenes.
        patch_size: side of the clean training patches in pixels.
        patches_per_epoch: patches in an epoch, over all ranks.
        relighting: puts clean training patches under other lights before they are degraded; None leaves them. Refused
            where an observation or a multispectral image was measured.
        replay: clean source scenes that are trained on beside the given ones; None has none.
        patch_pool: how many different training patches there are, after which they come again with the same noise; None
            draws new ones without end.
        batch_size: patches in a batch, on each rank.
        num_workers: processes that load training patches; 0 loads in the main process.
        captions: caption file of the scenes (see `datamodules.captions`); None takes the packaged one, if there is one.
        cache: folder for memory-mapped cubes; None is the user's cache folder.
        seed: fixes observations and training patches.

    Raises:
        ValueError: for an unknown role or a number below its minimum.
    """

    def __init__(
        self,
        *,
        role: Literal["source", "target"] = "source",
        degradation: Degradation | list[Degradation] | None = None,
        training: list[str] | None = None,
        validation: list[str] | None = None,
        observed: list[str] | None = None,
        unobserved: list[str] | None = None,
        crop: int | None = None,
        patch_size: int = 64,
        patches_per_epoch: int = 1024,
        relighting: Relighting | None = None,
        replay: SourceReplay | None = None,
        patch_pool: int | None = None,
        batch_size: int = 8,
        num_workers: int = 0,
        captions: str | None = None,
        cache: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            role=role,
            subsets={
                "training": training,
                "validation": validation,
                "observed": observed,
                "unobserved": unobserved,
            },
            degradation=one_task(degradation),
            crop=crop,
            captions=captions,
            cache=cache,
        )
        if batch_size < 1 or num_workers < 0:
            raise InputError(
                f"A batch size of {batch_size} with {num_workers} workers is not possible: "
                "give `batch_size` at least 1 and `num_workers` at least 0."
            )
        self.patch_size = patch_size
        self.patches_per_epoch = patches_per_epoch
        self.relighting = relighting
        self.replay = replay
        self.patch_pool = patch_pool
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self._training_scenes = TrainingScenes()

    def observations(self) -> list[Observation]:
        """Return the degraded observations of the observed scenes: measured, or simulated from the clean cubes.

        Raises:
            ValueError: if the role is not target, or no scene is observed.
        """
        self._require("target", "observations")
        found = [self._observation(name) for name in self._some("observed")]
        if "observation" in self.measured_kinds:
            self.degradation.measure([one.cube for one in found], [one.name for one in found], self.wavelengths)
        return found

    @property
    def known_response(self) -> SpectralResponse | None:
        """Response of the sensor that took, or simulates, the multispectral images; None where nobody knows it."""
        return self.degradation.response if isinstance(self.degradation, FusionObservation) else None

    def use_training_scenes(self, scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        """Draw training patches from these scenes from the next epoch on, also in loaders that exist already.

        Args:
            scenes: scenes on disk, with one set of wavelengths.
            weights: how often each is drawn, relative to the others; None draws all equally often.

        Raises:
            ValueError: for no scenes, differing wavelengths, wrong weights, or (role target) a clean cube of this
                data set's observed or unobserved scenes.
        """
        if self.replay is not None:
            scenes, weights = self.replay.beside(scenes, weights)
        if self.role == "target":
            hidden = self.hidden()
            for scene in scenes:
                # Whatever cache folder it lies in: another DataModule may have cached the same scenes elsewhere.
                paths = [image.path for image in (scene, *scene.measured().values())]
                if found := [path for path in paths if path.resolve().parts[-4:-1] in hidden]:
                    raise InputError(
                        f"The training scene {scene.name!r} at {found[0]} is a clean target cube, which adaptation "
                        "must not see: give proxies or synthesised scenes, or use the role source."
                    )
        self._training_scenes.exchange(scenes, weights)

    def hidden(self) -> set[tuple[str, ...]]:
        """Return the last folders of the cubes that adaptation must not see: `clean`, the data set, the scene."""
        return {("clean", type(self).__name__, name) for subset in _TARGET for name in self.names(subset)}

    def is_clean(self, path: Path) -> bool:
        """Tell whether a file holds a clean cube of an observed or unobserved scene, as it came or in any cache."""
        path = path.resolve()
        if path.parts[-4:-1] in self.hidden():
            return True
        return any(path == file.resolve() for name in self._target_names() for file in self.source_files(name))

    def clean_scenes(self) -> list[MappedScene]:
        """Return the clean observed and unobserved scenes that exist, to score and to show and never to train on."""
        return self.scenes([name for name in self._target_names() if self.has_clean(name)])

    def _target_names(self) -> list[str]:
        return [name for subset in _TARGET for name in self.names(subset)]

    def training_scene(self, name: str) -> MappedScene:
        """Return the whole scene that patches of this name are drawn from now, which is what the batches show of it.

        Raises:
            ValueError: if no present training scene has this name.
        """
        return self._training_scenes.find(name)

    def prepare_data(self) -> None:
        """Build the cached cubes of this role's scenes, once per machine."""
        subsets: tuple[Subset, Subset] = ("training", "validation") if self.role == "source" else _TARGET
        check_disjoint(self.names(subsets[0]), self.names(subsets[1]), " and ".join(subsets))
        for name in (name for subset in subsets for name in self.names(subset)):
            if self.role == "target" and "observation" in self.measured_kinds:
                # The clean scene is for the test, which reads it where there is one.
                self.measured(name)
            else:
                self.scenes([name])

    def training_batches(self, ranks: int) -> int:
        """Return the batches of an epoch on each of so many ranks, before there is a loader."""
        return epoch_batches(self.patches_per_epoch, self.batch_size, ranks)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return the loader of training patches.

        Raises:
            ValueError: if the role is target and `use_training_scenes` was not called, or there is no scene.
        """
        if not len(self._training_scenes):
            if self.role == "target":
                raise InputError(
                    f"{type(self).__name__} in the role target has no training scenes, as its clean cubes must not be "
                    "trained on: add the callbacks that make proxies and synthesised scenes, or call "
                    "use_training_scenes."
                )
            self.use_training_scenes(self.scenes(self._some("training")))
        dataset = PatchDataset(
            self._training_scenes,
            self.degradation,
            self.patch_size,
            self.patches_per_epoch,
            self.seed,
            self.relighting,
            self.patch_pool,
        )
        return training_loader(dataset, self.batch_size, self.num_workers, self.trainer, collate)

    def val_dataloader(self) -> list[DataLoader[Sample]]:
        """Return the loader of whole validation scenes; none in the role target, where no clean cube may steer."""
        if self.role == "target" or not self.names("validation"):
            return []
        return [self._pairs("validation")]

    @property
    def test_set_names(self) -> list[str]:
        """Names of the test sets in the order of `test_dataloader`."""
        subsets: tuple[Subset, ...] = ("validation",) if self.role == "source" else ("observed", "unobserved")
        return [subset for subset in subsets if self.names(subset)]

    def test_dataloader(self) -> list[DataLoader[Sample]]:
        """Return one loader of whole scenes per name in `test_set_names`, degraded as adaptation saw them.

        A set whose clean scenes are not all there comes as observations alone.

        Raises:
            ValueError: if there is no scene to test on.
        """
        subsets: tuple[Subset, ...] = ("validation",) if self.role == "source" else ("observed", "unobserved")
        loaders = [self._pairs(subset) for subset in subsets if self.names(subset)]
        if not loaders:
            raise InputError(
                f"{type(self).__name__} has no scene to test on: name scenes with `{'` or `'.join(subsets)}`."
            )
        return loaders

    def predict_dataloader(self) -> DataLoader[Sample]:
        """Return the loader of the observed scenes' observations.

        Raises:
            ValueError: if the role is not target, or no scene is observed.
        """
        return _one_by_one(ObservationDataset(self.observations()))

    def _observation(self, name: str) -> Observation:
        measured = self.measured(name)
        if "observation" not in measured:
            scene = self.scenes([name])[0]
            return observe(scene.load(), self.degradation, self.seed, scene.load_measured())
        image = measured["observation"].load()
        beside = measured["multispectral"].load().cube if "multispectral" in measured else None
        caption = self._scene_captions().get(name, image.caption)
        return Observation(name, image.cube, image.wavelengths, caption, beside)

    def _pairs(self, subset: Subset) -> DataLoader[Sample]:
        names = self._some(subset)
        if not all(map(self.has_clean, names)):
            return _one_by_one(ObservationDataset([self._observation(name) for name in names]))
        return _one_by_one(FullSceneDataset(self.scenes(names), self.degradation, self.seed))

    def _some(self, subset: Subset) -> tuple[str, ...]:
        names = self.names(subset)
        if not names:
            if not self.scene_names():
                root = getattr(self, "root", None)
                where = f" in {root}" if isinstance(root, str | Path) else ""
                raise InputError(
                    f"{type(self).__name__} finds no scene{where}: look whether that is the folder, and whether its "
                    "files are named and stored as this data set reads them."
                )
            raise InputError(f"{type(self).__name__} has no {subset} scene: name at least one with `{subset}`.")
        return names

    def _require(self, role: str, what: str) -> None:
        if self.role != role:
            raise InputError(
                f"{type(self).__name__} has {what} only in the role {role}, and its role is {self.role}: "
                f"set `role` to {role}."
            )


def _one_by_one(dataset: FullSceneDataset | ObservationDataset) -> DataLoader[Sample]:
    sampler = EvaluationSampler(dataset, *world())
    return DataLoader(dataset, batch_size=1, sampler=sampler, collate_fn=collate)
