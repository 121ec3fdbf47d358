"""Callback: whether the adapted network restores the noisy test scenes better, told without a clean cube."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from torch import Tensor

from callbacks.reporting.without_truth.gain_rows import GainRow, as_csv, as_markdown, as_table, removed_table
from callbacks.reporting.without_truth.intervals import scene_gain
from callbacks.reporting.without_truth.risk import Restore, compare
from datamodules.estimation.estimate import SMALLEST_SIDE
from hyperalign.errors import InputError
from hyperalign.files import write_text
from hyperalign.folders import run_folder
from hyperalign.ranks import all_gathered
from hyperalign.seeding import generator_for
from hyperalign.trainers import datamodule_of
from lightning_modules.restorer import Restorer, restorer_of
from lightning_modules.restorer.evaluation import test_set_name

log = logging.getLogger(__name__)

NOISY = ("gaussian", "complex", "unlike")
"""Families of noise on which an error can be estimated; of a clean, blurred or masked scene none is."""


class GainWithoutTruth(Callback):
    """Estimate, while testing, how much better the adapted weights restore every scene than the source weights do.

    No clean cube is used (see `callbacks.reporting.without_truth.risk`); where there is one, the true change stands
    beside. Writes `gain.csv` and `gain.md` and prints their tables. It restores a window of every scene six more times.

    Args:
        folder: where the files go; the run's log folder when None.
        side: the window in the middle of every scene that is looked at, in pixels; None takes whole scenes.
        seed: decides everything random.

    Raises:
        InputError: for a window below 32 pixels.
    """

    def __init__(self, folder: str | None = None, side: int | None = 256, seed: int = 0) -> None:
        if side is not None and side < SMALLEST_SIDE:
            raise InputError(f"GainWithoutTruth got side={side}: give at least {SMALLEST_SIDE} pixels, or null.")
        self.folder = folder
        self.side = side
        self.seed = seed
        self.rows: list[GainRow] = []
        self.written: Path | None = None
        """The table of the last test, on the first rank."""
        self._pair: tuple[Restorer, Restorer] | None = None
        self._skipped: dict[str, str] = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find both restorers; without source weights, or for pairs of images, there is nothing to compare."""
        adapted = restorer_of(pl_module, "GainWithoutTruth")
        source = adapted.source_restorer() if adapted.needs == ("observation",) else None
        self._pair = None if source is None else (source, adapted)
        self.rows, self._skipped, self.written = [], {}, None

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - a `Tested`, under Lightning's own signature
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Compare the restorers on every scene of the batch."""
        if self._pair is None:
            return
        if outputs["restored"].shape != batch["observation"].shape:
            self._pair = None
            log.info("no error is estimated without truth: the task is not denoising")
            return
        test_set = test_set_name(datamodule_of(trainer), dataloader_idx)
        for index, name in enumerate(batch["name"]):
            observation = self._window(batch["observation"][index])
            if min(observation.shape[1:]) < SMALLEST_SIDE:
                self._skipped[name] = f"it has fewer than {SMALLEST_SIDE} pixels a side"
                continue
            clean = self._window(batch["target"][index]) if "target" in batch else None
            restore = [_restoring(one, batch, index) for one in self._pair]
            row = self._compared(restore, observation, clean, test_set, name)
            if row is not None:
                self.rows.append(row)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write and print what all ranks found."""
        self._pair = None
        unique = {(one.test_set, one.scene): one for part in all_gathered(self.rows) for one in part}
        self.rows = [unique[key] for key in sorted(unique)]
        folder = Path(self.folder) if self.folder else run_folder(trainer)
        if not trainer.is_global_zero:
            return
        for name, why in sorted(self._skipped.items()):
            log.warning("No error of %s is estimated without truth: %s.", name, why)
        if self.rows:
            write_text(folder / "gain.csv", as_csv(self.rows))
            self.written = folder / "gain.md"
            write_text(self.written, as_markdown(self.rows))
            for table in (as_table(self.rows), removed_table(self.rows)):
                Console().print(table, markup=False, highlight=False)

    def _compared(
        self, restore: Sequence[Restore], observation: Tensor, clean: Tensor | None, test_set: str, name: str
    ) -> GainRow | None:
        seed = generator_for(self.seed, "gain", name).initial_seed()
        compared = compare(restore[0], restore[1], observation, name, seed)
        if compared.noise.family not in NOISY:
            self._skipped[name] = f"it looks like {compared.noise.family}, not noisy"
            return None
        true = None if clean is None else true_change(restore[0](observation), restore[1](observation), clean)
        return GainRow(test_set, name, scene_gain(compared, seed), true, compared.residuals)

    def _window(self, cube: Tensor) -> Tensor:
        cube = cube.detach().to("cpu", torch.float32)
        if self.side is None:
            return cube
        top, left = (max(0, (length - self.side) // 2) for length in cube.shape[-2:])
        return cube[..., top : top + self.side, left : left + self.side].contiguous()


def _restoring(restorer: Restorer, batch: Mapping[str, Any], index: int) -> Restore:
    """Return what restores single cubes as scenes of this batch."""
    given = {key: [batch[key][index]] if key in ("name", "caption") else batch[key] for key in batch if key != "target"}

    def restore(cube: Tensor) -> Tensor:
        return restorer.restore({**given, "observation": cube[None]})[0].to("cpu", torch.float32)

    return restore


def true_change(first: Tensor, second: Tensor, clean: Tensor) -> float:
    """Return how much higher the band-mean PSNR of the second restored cube is, in dB."""
    before, after = ((one - clean).square().mean(dim=(1, 2)).clamp(min=1e-12) for one in (first, second))
    return float((10.0 * torch.log10(before / after)).mean())
