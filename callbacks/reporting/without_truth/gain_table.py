"""Callback: whether the adapted network restores the noisy test scenes better, told without a clean cube."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from callbacks.reporting.without_truth.intervals import Gain, scene_gain, set_gain
from callbacks.reporting.without_truth.residuals import Residuals
from callbacks.reporting.without_truth.risk import Restore, compare
from datamodules.estimation.estimate import SMALLEST_SIDE
from hyperalign.errors import InputError
from hyperalign.files import write_text
from hyperalign.folders import run_folder
from hyperalign.ranks import all_gathered
from hyperalign.seeding import generator_for
from hyperalign.trainers import datamodule_of
from lightning_modules.evaluation import test_set_name
from lightning_modules.restorer import Restorer, restorer_of

log = logging.getLogger(__name__)

NOISY = ("gaussian", "complex", "unlike")
"""Families of noise on which an error can be estimated; of a clean, blurred or masked scene none is."""

COLUMNS = ("set", "scene", "change (dB)", "95 % interval", "change of the squared error", "true change (dB)")
MEAN = "**mean**"


@dataclass(frozen=True)
class GainRow:
    """What is estimated of one scene.

    Attributes:
        test_set: the test set.
        scene: its name.
        gain: the estimated change from source-only to adapted.
        true: the true change in dB in the same window, where there is a clean cube.
        residuals: of the source weights and of the adapted ones.
    """

    test_set: str
    scene: str
    gain: Gain
    true: float | None
    residuals: tuple[Residuals, Residuals]


class GainWithoutTruth(Callback):
    """Estimate, while testing, how much better the adapted weights restore every scene than the source weights do.

    No clean cube is used (see `callbacks.reporting.without_truth.risk`); where there is one, the true change stands
    beside. Writes `gain.csv` and `gain.md` and prints the table. It restores a window of every scene six more times.

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
            Console().print(as_table(self.rows), highlight=False)

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


def means(rows: Sequence[GainRow]) -> list[GainRow]:
    """Return one row a test set: the mean over scenes, with an interval over scenes."""
    found = []
    for test_set in sorted({one.test_set for one in rows}):
        group = [one for one in rows if one.test_set == test_set]
        known = [one.true for one in group if one.true is not None]
        true = sum(known) / len(known) if len(known) == len(group) else None
        found.append(replace(group[0], scene=MEAN, gain=set_gain([one.gain for one in group]), true=true))
    return found


def cells(row: GainRow) -> list[str]:
    """Return one row as printed."""
    gain = row.gain
    true = "" if row.true is None else f"{row.true:+.2f}"
    interval = f"{gain.low:+.2f} to {gain.high:+.2f}"
    return [row.test_set, row.scene, f"{gain.change:+.2f}", interval, f"{gain.squared:+.1e}", true]


def as_markdown(rows: Sequence[GainRow]) -> str:
    """Return the table of gains, then the statistics of what was removed."""
    lines = ["Estimated from the noisy observations alone: from source-only to adapted.", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "| --- | --- |" + " ---: |" * (len(COLUMNS) - 2)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in [*means(rows), *rows]]
    lines += ["", "What was removed: mean in standard deviations of the noise, correlation of neighbours, correlation"]
    lines += ["with the restored cube; all are 0 for a perfect restorer.", ""]
    lines += ["| set | scene | model | mean | neighbours | image |", "| --- | --- | --- | ---: | ---: | ---: |"]
    for row in rows:
        for model, one in zip(("source-only", "adapted"), row.residuals, strict=True):
            values = f"{one.mean:.3f} | {one.whiteness:+.3f} | {one.correlation:+.3f}"
            lines.append(f"| {row.test_set} | {row.scene} | {model} | {values} |")
    return "\n".join(lines) + "\n"


def as_csv(rows: Sequence[GainRow]) -> str:
    """Return every scene, full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["test_set", "scene", "change", "low", "high", "squared", "true"])
    for one in rows:
        true = "" if one.true is None else one.true
        writer.writerow([one.test_set, one.scene, one.gain.change, one.gain.low, one.gain.high, one.gain.squared, true])
    return text.getvalue()


def as_table(rows: Sequence[GainRow]) -> Table:
    """Return the means for the terminal."""
    title = "Source-only to adapted, estimated without truth"
    shown = [number for number, _ in enumerate(COLUMNS) if number != 1]
    table = Table(*(COLUMNS[number] for number in shown), title=title)
    for row in means(rows):
        printed = cells(row)
        table.add_row(*(printed[number] for number in shown))
    return table
