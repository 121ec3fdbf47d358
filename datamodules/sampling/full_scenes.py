"""Whole scenes for validation and test, and observations alone for prediction."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.degradations import Degradation
from datamodules.sampling.batches import Sample
from datamodules.scenes import MappedScene, Observation, Scene, generator_for

_NOTHING: Mapping[str, Tensor] = MappingProxyType({})


def observed(
    scene: Scene, degradation: Degradation, generator: torch.Generator, measured: Mapping[str, Tensor] = _NOTHING
) -> Sample:
    """Return a scene, or a patch of it, beside what the sensor, or both sensors, deliver of it.

    Args:
        scene: the clean scene.
        degradation: the task.
        generator: decides every random number.
        measured: images that were measured, by their key in a batch, which are taken instead of simulated ones.
    """
    number, degradation = (None, degradation) if "observation" in measured else degradation.chosen(generator)
    sample = Sample(
        observation=measured["observation"] if "observation" in measured else degradation(scene.cube, generator),
        target=scene.cube,
        caption=scene.caption,
        name=scene.name,
        wavelengths=scene.wavelengths,
    )
    if number is not None:
        sample["task"] = number
    if degradation.scale > 1:
        sample["phase"] = degradation.phase
    multispectral = measured.get("multispectral")
    if multispectral is None:
        multispectral = degradation.multispectral(scene.cube, scene.wavelengths, generator)
    if multispectral is not None:
        sample["multispectral"] = multispectral
    return sample


def observe(
    scene: Scene, degradation: Degradation, seed: int, measured: Mapping[str, Tensor] = _NOTHING
) -> Observation:
    """Return what the sensors deliver of a scene, the same for adaptation and for test.

    Args:
        scene: the clean scene.
        degradation: the task.
        seed: seed of the DataModule; with the scene's name it fixes every random number.
        measured: images that were measured, by their key in a batch, which are taken instead of simulated ones.
    """
    sample = observed(scene, degradation, generator_for(seed, "observation", scene.name), measured)
    multispectral = sample.get("multispectral")
    phase = sample.get("phase")
    return Observation(scene.name, sample["observation"], scene.wavelengths, scene.caption, multispectral, phase)


class FullSceneDataset(Dataset[Sample]):
    """Pairs of whole scenes, each read when asked for.

    Args:
        scenes: clean scenes on disk.
        degradation: makes the observation.
        seed: seed of the DataModule.
    """

    def __init__(self, scenes: Sequence[MappedScene], degradation: Degradation, seed: int) -> None:
        self.scenes = tuple(scenes)
        self.degradation = degradation
        self.seed = seed

    def __len__(self) -> int:
        """Return the number of scenes."""
        return len(self.scenes)

    def __getitem__(self, index: int) -> Sample:
        """Return one pair."""
        scene = self.scenes[index]
        generator = generator_for(self.seed, "observation", scene.name)
        return observed(scene.load(), self.degradation, generator, scene.load_measured())


class ObservationDataset(Dataset[Sample]):
    """Observations alone: there is no target to reach.

    Args:
        observations: what the sensor delivered.
    """

    def __init__(self, observations: Sequence[Observation]) -> None:
        self.observations = tuple(observations)

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self.observations)

    def __getitem__(self, index: int) -> Sample:
        """Return one observation."""
        observation = self.observations[index]
        sample = Sample(
            observation=observation.cube,
            caption=observation.caption,
            name=observation.name,
            wavelengths=observation.wavelengths,
        )
        if observation.multispectral is not None:
            sample["multispectral"] = observation.multispectral
        if observation.phase is not None:
            sample["phase"] = observation.phase
        return sample
