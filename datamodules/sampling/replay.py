"""Scenes of the source among those that adaptation trains on, so that what was learned of them is not forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from datamodules.library import SceneLibrary
from datamodules.scenes import MappedScene
from hyperalign.errors import InputError

__all__ = ["SourceReplay"]


class SourceReplay:
    """A share of clean source scenes in every batch.

    Args:
        source: data whose training scenes are replayed, such as `datamodules.SampleScenes`, in the role source.
        share: part of the patches that are drawn from them, above 0 and below 1.

    Raises:
        InputError: for a share that is none, or data in another role.
    """

    def __init__(self, source: SceneLibrary, share: float = 0.5) -> None:
        if not 0 < share < 1:
            raise InputError(f"SourceReplay got share={share}: give a part of the patches, above 0 and below 1.")
        if source.role != "source":
            raise InputError(
                f"SourceReplay got {type(source).__name__} in the role {source.role}: replay data in the role source."
            )
        self.source = source
        self.share = share

    def beside(
        self, scenes: Sequence[MappedScene], weights: Sequence[float] | None
    ) -> tuple[list[MappedScene], list[float]]:
        """Return training scenes with the source's, and how often each is drawn.

        Args:
            scenes: at least one scene of the target.
            weights: how often each is drawn, relative to the others; None draws all equally often.

        Raises:
            InputError: where the source has other bands, or no scene to train on.
        """
        own = tuple(self.source.wavelengths)
        if scenes and own != tuple(scenes[0].wavelengths):
            raise InputError(
                f"{type(self.source).__name__} has {len(own)} bands and the target {len(scenes[0].wavelengths)}, or "
                "others: replay scenes of the target's bands, or leave data.init_args.replay out."
            )
        replayed = self.source.scenes(self.source.names("training"))
        if not replayed:
            raise InputError(f"{type(self.source).__name__} has no training scene to replay: name some.")
        target = [1.0] * len(scenes) if weights is None else list(weights)
        total = sum(target) * self.share / (1 - self.share)
        return [*scenes, *replayed], [*target, *[total / len(replayed)] * len(replayed)]
