"""Measured cubes, or parts of them, each read from its file when it is asked for: one at a time is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.sampling.batches import Sample
from datamodules.sampling.crops import Crop
from datamodules.scenes import Observation
from datamodules.scenes.folder_scene import FolderScene


class ReadCubes(Sequence[Tensor]):
    """The cubes of observations, of which one at a time is in memory."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        self.observations = observations

    def __len__(self) -> int:
        """Return their number."""
        return len(self.observations)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Tensor]: ...

    def __getitem__(self, index: int | slice) -> Tensor | Sequence[Tensor]:
        """Read one, or hand on some."""
        chosen = self.observations[index]
        return chosen.cube if isinstance(chosen, Observation) else ReadCubes(chosen)


class ScoredCubes(Dataset[Sample]):
    """Parts of cubes, with the same part of the clean cube where there is one."""

    def __init__(
        self, parts: Sequence[tuple[FolderScene, str, Crop, FolderScene | None]], wavelengths: tuple[float, ...]
    ) -> None:
        self.parts, self.wavelengths = tuple(parts), wavelengths

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.parts)

    def __getitem__(self, index: int) -> Sample:
        """Return one part."""
        scene, name, crop, clean = self.parts[index]
        place = (crop.row, crop.column, crop.height, crop.width)
        observation = torch.from_numpy(scene.window(*place)[0])
        sample = Sample(observation=observation, caption="", name=name, wavelengths=self.wavelengths)
        if clean is not None:
            sample["target"] = torch.from_numpy(clean.window(*place)[0])
        return sample
