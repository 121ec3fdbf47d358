"""The results table of a test run: scenes x metrics, source-only beside adapted, the protocol printed with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table

from callbacks.reporting.loggers import log_table
from callbacks.reporting.product_table import ProductRow, gathered_products, product_row, write_products
from datamodules.degradations import Degradation
from datamodules.scenes.measured import MeasuredKind
from hyperalign.files import write_text
from hyperalign.folders import run_folder
from hyperalign.ranks import all_gathered
from hyperalign.trainers import datamodule_of
from lightning_modules.restorer import restorer_of
from lightning_modules.restorer.evaluation import Tested, test_set_name

SOURCE = "source-only"
"""What the source weights are called in the table."""
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
    on, the source-trained weights restore the same observations and stand beside it as `source-only`. Fused images that
    nobody has the truth of have a table of their own, `products.csv` and `products.md`.

    Args:
        folder: where `results.csv` and `results.md` go; the run's log folder when None.
        compare_source: restore every test observation with the source weights as well.
        name: what the tested model is called in the table.

    Attributes:
        written: the Markdown table of the last test, on the first rank; None where there is none.
    """

    def __init__(self, folder: str | None = None, compare_source: bool = True, name: str = "adapted") -> None:
        self.folder = folder
        self.compare_source = compare_source
        self.name = name
        self.rows: list[Row] = []
        self.products: list[ProductRow] = []
        self.written: Path | None = None

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the rows of an earlier run, and keep Lightning from printing a second table of the same numbers.

        Raises:
            TypeError: if the module restores nothing.
        """
        restorer_of(pl_module, "ResultsTable")
        self.rows, self.products = [], []
        trainer.test_loop.verbose = False

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - a `Tested`, under Lightning's own signature
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add one row per scene for the tested weights, and one for the source weights."""
        tested: Tested = outputs
        test_set = test_set_name(datamodule_of(trainer), dataloader_idx)
        scored = {self.name: tested["scores"]}
        if self.compare_source and tested["source_only"] is not None:
            scored[SOURCE] = tested["source_only"]().scores
        for model, scores in scored.items():
            named = list(zip(batch["name"], scores, strict=True))
            self.rows += [row(test_set, name, model, one) for name, one in named if "psnr" in one]
            self.products += [product_row(test_set, name, model, one) for name, one in named if "qnr" in one]

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the rows of all ranks, write both files on rank 0 and print the means."""
        self.rows, self.products = gathered(self.rows), gathered_products(self.products)
        folder = Path(self.folder) if self.folder else run_folder(trainer)
        if not trainer.is_global_zero:
            return
        write_products(folder, self.products)
        if not self.rows:
            return
        protocol = restorer_of(pl_module, "ResultsTable").protocol.describe()
        header = f"{protocol}; {task_line(trainer)}"
        write_text(folder / "results.csv", as_csv(self.rows))
        write_text(folder / "results.md", as_markdown(self.rows, header))
        Console().print(as_table(self.rows, header))
        columns = ("test_set", "scene", "model", *METRICS)
        log_table(trainer.loggers, "results", columns, [[getattr(one, name) for name in columns] for one in self.rows])
        self.written = folder / "results.md"


def row(test_set: str, scene: str, model: str, scores: Mapping[str, float]) -> Row:
    """Build one row from the protocol's scores."""
    return Row(test_set, scene, model, *(float(scores[metric]) for metric in METRICS))


@runtime_checkable
class _Task(Protocol):
    """Data that say how their observations come about."""

    @property
    def degradation(self) -> Degradation: ...
    @property
    def measured_kinds(self) -> tuple[MeasuredKind, ...]: ...
    @property
    def seed(self) -> int: ...


@runtime_checkable
class _Split(Protocol):
    """Data that name their split."""

    @property
    def split(self) -> str | None: ...


_SIMULATED = ("response", "channels", "response_digest", "multispectral_snr")
"""What decides a simulated multispectral image."""


def task_line(trainer: Trainer) -> str:
    """Return the data set, degradation and seed in one line, so that no table is without its conditions."""
    data = datamodule_of(trainer)
    if not isinstance(data, _Task):
        return "degradation unknown"
    described = data.degradation.settings()
    measured = "multispectral" in data.measured_kinds
    if measured and getattr(data, "role", "source") != "target":
        # The response, if one is named, is of nothing that was scored.
        described = {key: value for key, value in described.items() if key not in _SIMULATED}
    settings = ", ".join(f"{key} {value}" for key, value in described.items())
    if measured:
        settings += ", multispectral images measured"
    if "observation" in data.measured_kinds:
        settings = f"measured observations (training scenes without one: {settings})"
    split = f" split {data.split}" if isinstance(data, _Split) and data.split else ""
    return f"{type(data).__name__}{split}, {settings}, seed {data.seed}"


def gathered(rows: list[Row]) -> list[Row]:
    """Return the rows of all ranks, each scene once (a sampler may repeat scenes to even out ranks), sorted."""
    unique = {(one.test_set, one.scene, one.model): one for part in all_gathered(rows) for one in part}
    return sorted(unique.values())


def means(rows: list[Row]) -> dict[tuple[str, str], dict[str, float]]:
    """Return the mean over scenes of every metric, by (test set, model)."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in rows:
        groups.setdefault((one.test_set, one.model), []).append(one)
    return {
        key: {metric: sum(getattr(one, metric) for one in group) / len(group) for metric in METRICS}
        for key, group in groups.items()
    }


def as_csv(rows: list[Row]) -> str:
    """Return every row in full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=["test_set", "scene", "model", *METRICS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in rows)
    return text.getvalue()


def as_markdown(rows: list[Row], header: str) -> str:
    """Return the means first, then every scene, with the protocol as the first line."""
    lines = [f"Protocol: {header}", "", "| set | scene | model | " + " | ".join(HEADINGS[m] for m in METRICS) + " |"]
    lines.append("| --- | --- | --- |" + " ---: |" * len(METRICS))
    for (test_set, model), mean in sorted(means(rows).items()):
        lines.append(f"| {test_set} | **mean** | {model} | " + " | ".join(cells(mean)) + " |")
    lines += [
        f"| {one.test_set} | {one.scene} | {one.model} | " + " | ".join(cells(asdict(one))) + " |" for one in rows
    ]
    return "\n".join(lines) + "\n"


def cells(scores: Mapping[str, Any]) -> list[str]:
    """Return the scores as printed: two decimals for dB, degrees and ERGAS, four for SSIM."""
    return [f"{scores[metric]:.4f}" if metric == "ssim" else f"{scores[metric]:.2f}" for metric in METRICS]


def as_table(rows: list[Row], header: str) -> Table:
    """Return the means as a rich table for the terminal."""
    table = Table("set", "model", *(HEADINGS[metric] for metric in METRICS), title="Mean over scenes", caption=header)
    for (test_set, model), mean in sorted(means(rows).items(), key=lambda item: (item[0][0], item[0][1] == "adapted")):
        table.add_row(test_set, model, *cells(mean))
    return table
