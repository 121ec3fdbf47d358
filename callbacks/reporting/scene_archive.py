"""Keeps test scenes as numbers for a page to browse: observation, source-only, restored, target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor

from callbacks.reporting.drawing import enlarged
from hyperalign.files import file_stem, replacing
from hyperalign.folders import run_folder
from hyperalign.trainers import datamodule_of
from lightning_modules.restorer.evaluation import Tested, test_set_name

LEVELS = 65535
"""Values in [0, 1] are kept as whole numbers of this many steps."""


class SceneArchive(Callback):
    """Keep the first scenes of every test set as `TEST_SET/SCENE.npz`, for `hyperalign report` to show.

    A file holds `wavelengths` (nm) and cubes `C x H x W` of 16 bits (65535 is 1): `observation` (a small one enlarged),
    `restored` and, where there are such, `source` (what the source weights restored) and `target`. Values outside of
    [0, 1] are clipped. The cubes are cut to a square from the middle.

    Args:
        folder: where the files go; `scenes/` in the run's log folder when None.
        scenes: at most this many of every test set.
        side: height and width of the square in pixels.
    """

    def __init__(self, folder: str | None = None, scenes: int = 2, side: int = 96) -> None:
        self.folder = folder
        self.scenes = scenes
        self.side = side
        self._root = Path()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the folder, on all ranks together."""
        self._root = Path(self.folder) if self.folder else run_folder(trainer) / "scenes"

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - a `Tested`, under Lightning's own signature
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first scenes of every test set."""
        if batch_idx >= self.scenes or not trainer.is_global_zero:
            return
        tested: Tested = outputs
        restored = tested["restored"][0]
        cubes = {"observation": enlarged(batch["observation"][0], restored.shape[-2]), "restored": restored}
        if tested["source_only"] is not None:
            cubes["source"] = tested["source_only"]().restored[0]
        if "target" in batch:
            cubes["target"] = batch["target"][0]
        folder = self._root / test_set_name(datamodule_of(trainer), dataloader_idx)
        kept = {name: levels(self._cut(cube)) for name, cube in cubes.items()}
        with replacing(folder / f"{file_stem(batch['name'][0])}.npz") as file:
            np.savez_compressed(file, wavelengths=np.asarray(batch["wavelengths"], dtype=np.float64), **kept)  # type: ignore[arg-type]

    def _cut(self, cube: Tensor) -> Tensor:
        top, left = (max(size - self.side, 0) // 2 for size in cube.shape[-2:])
        return cube[:, top : top + self.side, left : left + self.side]


def levels(cube: Tensor) -> NDArray[np.uint16]:
    """Return a cube's values in [0, 1] as whole numbers from 0 to 65535; NaN becomes 0."""
    values = np.nan_to_num(cube.detach().float().cpu().numpy(), nan=0.0)
    rounded: NDArray[np.uint16] = np.round(np.clip(values, 0.0, 1.0) * LEVELS).astype(np.uint16)
    return rounded
