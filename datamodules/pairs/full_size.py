"""Whole pairs as they are, for the scores of a product that nobody has the truth of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from datamodules.pairs.pair_scene import PairScene
from datamodules.sampling.batches import Sample

__all__ = ["FULL_SIZE", "FullSizePairs"]

FULL_SIZE = "full_size"
"""Name of the test set."""


class FullSizePairs(Dataset[Sample]):
    """Pairs without target, each read when it is asked for.

    Args:
        scenes: the pairs.
    """

    def __init__(self, scenes: Sequence[PairScene]) -> None:
        self.scenes = tuple(scenes)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.scenes)

    def __getitem__(self, index: int) -> Sample:
        """Return one pair; what is missing in it is filled, and said."""
        scene = self.scenes[index]
        strip = scene.strip(0, scene.file.shape[1])
        assert strip.multispectral is not None  # noqa: S101 - a pair has both
        sample = Sample(
            observation=torch.from_numpy(strip.observation),
            multispectral=torch.from_numpy(strip.multispectral),
            caption=scene.caption,
            name=scene.hyperspectral.name,
            wavelengths=scene.match.wavelengths,
            phase=scene.phase,
        )
        if strip.missing is not None:
            sample["missing"] = torch.from_numpy(strip.missing.any(axis=0))
        return sample
