"""The results table of a test run: scenes x metrics, source-only beside adapted, the protocol printed with it."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table

from hyperalign.files import write_text
from hyperalign.folders import run_folder
from hyperalign.ranks import all_gathered

log = logging.getLogger(__name__)
METRICS = ("psnr", "ssim", "sam", "ergas")
HEADINGS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "sam": "SAM (deg)", "ergas": "ERGAS"}


@dataclass(frozen=True, order=True)
class Row:
    """Scores of one model on one scene of one test set: PSNR in dB, SAM in degrees."""

    test_set: str
    scene: str
    model: str
    psnr: float
    ssim: float
    sam: float
    ergas: float


class ResultsTable(Callback):
    """Collect per-scene scores while testing, write them as CSV and Markdown, and print the means.

    The module's own weights are called `adapted`; where the module knows its source checkpoint and `compare_source` is
    on, the source-trained weights restore the same observations and stand beside it as `source-only`.

    Args:
        folder: where `results.csv` and `results.md` go; the run's log folder when None.
        compare_source: restore every test observation with the source weights as well.
        name: what the tested model is called in the table.
    """

    def __init__(self, folder: str | None = None, compare_source: bool = True, name: str = "adapted") -> None:
        self.folder = folder
        self.compare_source = compare_source
        self.name = name
        self.rows: list[Row] = []
        self._source: torch.nn.Module | None = None

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the rows of an earlier run and fetch the source weights once."""
        self.rows = []
        wanted = self.compare_source and getattr(pl_module, "source", None) is not None
        self._source = pl_module.source_network() if wanted else None  # type: ignore[operator]

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's own signature
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add one row per scene for the tested weights, and one for the source weights."""
        test_set = test_set_name(trainer, dataloader_idx)
        for name, scores in zip(batch["name"], outputs["scores"], strict=True):
            self.rows.append(row(test_set, name, self.name, scores))
        if self._source is None:
            return
        with torch.no_grad():
            restored = pl_module.restore(batch, self._source, getattr(pl_module, "tile", None))  # type: ignore[operator]
        for index, name in enumerate(batch["name"]):
            scores = pl_module.protocol.evaluate(restored[index], batch["target"][index])  # type: ignore[operator, union-attr]
            self.rows.append(row(test_set, name, "source-only", scores))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the rows of all ranks, write both files on rank 0 and print the means."""
        self.rows = gathered(self.rows)
        self._source = None
        folder = Path(self.folder) if self.folder else run_folder(trainer)
        if not trainer.is_global_zero:
            return
        protocol = str(pl_module.protocol.describe())  # type: ignore[operator, union-attr]
        header = f"{protocol}; {task_line(trainer)}"
        write_text(folder / "results.csv", as_csv(self.rows))
        write_text(folder / "results.md", as_markdown(self.rows, header))
        Console().print(as_table(self.rows, header))
        log.info("results written to %s", folder / "results.md")


def row(test_set: str, scene: str, model: str, scores: Mapping[str, float]) -> Row:
    """Build one row from the protocol's scores."""
    return Row(test_set, scene, model, *(float(scores[metric]) for metric in METRICS))


def test_set_name(trainer: Trainer, dataloader_idx: int) -> str:
    """Name of a test loader as the DataModule gives it, its number where there is no DataModule."""
    names = getattr(getattr(trainer, "datamodule", None), "test_set_names", None)
    return str(names[dataloader_idx]) if names else f"set {dataloader_idx}"


def task_line(trainer: Trainer) -> str:
    """Data set, degradation and seed in one line, so that no table is without its conditions."""
    data = getattr(trainer, "datamodule", None)
    degradation = getattr(data, "degradation", None)
    if degradation is None:
        return "degradation unknown"
    settings = ", ".join(f"{key} {value}" for key, value in degradation.settings().items())
    if "observation" in getattr(data, "measured_kinds", ()):
        settings = f"measured observations (training scenes without one: {settings})"
    split = f" split {data.split}" if getattr(data, "split", None) else ""  # type: ignore[union-attr]
    return f"{type(data).__name__}{split}, {settings}, seed {data.seed}"  # type: ignore[union-attr]


def gathered(rows: list[Row]) -> list[Row]:
    """Rows of all ranks, each scene once (a sampler may repeat scenes to even out ranks), sorted."""
    unique = {(one.test_set, one.scene, one.model): one for part in all_gathered(rows) for one in part}
    return sorted(unique.values())


def means(rows: list[Row]) -> dict[tuple[str, str], dict[str, float]]:
    """Mean over scenes of every metric, by (test set, model)."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in rows:
        groups.setdefault((one.test_set, one.model), []).append(one)
    return {
        key: {metric: sum(getattr(one, metric) for one in group) / len(group) for metric in METRICS}
        for key, group in groups.items()
    }


def as_csv(rows: list[Row]) -> str:
    """Every row, full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=["test_set", "scene", "model", *METRICS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in rows)
    return text.getvalue()


def as_markdown(rows: list[Row], header: str) -> str:
    """Means first, then every scene, with the protocol as the first line."""
    lines = [f"Protocol: {header}", "", "| set | scene | model | " + " | ".join(HEADINGS[m] for m in METRICS) + " |"]
    lines.append("| --- | --- | --- |" + " ---: |" * len(METRICS))
    for (test_set, model), mean in sorted(means(rows).items()):
        lines.append(f"| {test_set} | **mean** | {model} | " + " | ".join(cells(mean)) + " |")
    lines += [
        f"| {one.test_set} | {one.scene} | {one.model} | " + " | ".join(cells(asdict(one))) + " |" for one in rows
    ]
    return "\n".join(lines) + "\n"


def cells(scores: Mapping[str, Any]) -> list[str]:
    """Scores as printed: two decimals for dB, degrees and ERGAS, four for SSIM."""
    return [f"{scores[metric]:.4f}" if metric == "ssim" else f"{scores[metric]:.2f}" for metric in METRICS]


def as_table(rows: list[Row], header: str) -> Table:
    """The means as a rich table for the terminal."""
    table = Table("set", "model", *(HEADINGS[metric] for metric in METRICS), title="Mean over scenes", caption=header)
    for (test_set, model), mean in sorted(means(rows).items(), key=lambda item: (item[0][0], item[0][1] == "adapted")):
        table.add_row(test_set, model, *cells(mean))
    return table
