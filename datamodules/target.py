"""What adaptation needs of the data that it adapts to, with clean scenes somewhere or without any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from datamodules.degradations import Degradation
from datamodules.scenes import MappedScene, Observation

__all__ = ["AdaptationTarget"]


@runtime_checkable
class AdaptationTarget(Protocol):
    """Degraded observations of one sensor, and a place for the scenes that are made of them."""

    @property
    def role(self) -> str:
        """`target`; the same data in another role are not adapted to."""
        ...

    @property
    def degradation(self) -> Degradation:
        """The task: how the observations came about, which the made scenes are degraded by again."""
        ...

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Centres of the bands in nm, in the order of the cubes' bands."""
        ...

    @property
    def patch_size(self) -> int:
        """Side of the training patches in pixels of the clean scene."""
        ...

    @property
    def seed(self) -> int:
        """Fixes observations and patches."""
        ...

    def observations(self) -> list[Observation]:
        """Return the degraded observations, which are all that adaptation may look at."""
        ...

    def use_training_scenes(self, scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        """Draw training patches from these scenes from the next epoch on.

        Args:
            scenes: scenes on disk, with one set of wavelengths.
            weights: how often each is drawn, relative to the others; None draws all equally often.

        Raises:
            ValueError: for no scenes, or a clean target cube.
        """
        ...

    def training_batches(self, ranks: int) -> int:
        """Return the batches of an epoch on each of so many ranks, which schedules ask for before scenes are made."""
        ...

    def clean_scenes(self) -> list[MappedScene]:
        """Return the clean scenes to score and to show, never to train on; none where nobody has any."""
        ...

    def is_clean(self, path: Path) -> bool:
        """Tell whether a file holds a clean target cube, as it came or in the cache."""
        ...
