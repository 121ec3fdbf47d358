"""How a folder of measured cubes is adapted to: what is looked at, and what a training patch is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datamodules.degradations import Degradation
from datamodules.sampling.relighting import Relighting
from datamodules.sampling.replay import SourceReplay
from datamodules.splits.chosen import Chosen
from hyperalign.errors import InputError


@dataclass(frozen=True)
class TargetSettings:
    """How a folder is adapted to; the arguments of `datamodules.Folder` by the same names."""

    degradation: Degradation
    observed: Chosen
    unobserved: Chosen
    clean_root: Path | None
    crop: int
    crops_per_scene: int
    patch_size: int
    patches_per_epoch: int
    batch_size: int
    num_workers: int
    seed: int
    relighting: Relighting | None = None
    replay: SourceReplay | None = None
    patch_pool: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers; raises InputError with one sentence."""
        for name in ("crop", "crops_per_scene", "patch_size", "patches_per_epoch", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"Folder got {name}={getattr(self, name)}: give at least 1.")
        if self.crop < self.patch_size:
            raise InputError(
                f"Folder got crops of {self.crop} pixels and patches of {self.patch_size}, which do not fit into them: "
                "give a larger crop or a smaller patch_size."
            )
        if self.degradation.scale != 1 and self.clean_root is not None:
            raise InputError(
                f"Folder compares cubes with clean ones of the same size, but {type(self.degradation).__name__} has "
                f"the scale {self.degradation.scale}: leave out data.init_args.clean_root."
            )
