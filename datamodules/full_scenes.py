"""Whole scenes for validation and test, and observations alone for prediction."""

from collections.abc import Sequence

from torch import Tensor
from torch.utils.data import Dataset

from datamodules.batches import Sample
from datamodules.degradations import Degradation
from datamodules.scenes import MappedScene, Observation, Scene, generator_for


def observe(scene: Scene, degradation: Degradation, seed: int) -> Tensor:
    """Return what the sensor delivers of a scene: `C x h x w`, the same for adaptation and for test.

    Args:
        scene: the clean scene.
        degradation: the task.
        seed: seed of the DataModule; with the scene's name it fixes every random number.
    """
    return degradation(scene.cube, generator_for(seed, "observation", scene.name))


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
        scene = self.scenes[index].load()
        observation = observe(scene, self.degradation, self.seed)
        return Sample(observation=observation, target=scene.cube, name=scene.name, wavelengths=scene.wavelengths)


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
        return Sample(observation=observation.cube, name=observation.name, wavelengths=observation.wavelengths)
