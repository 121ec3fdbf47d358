"""The page of one run that no table asked for, such as the demonstration."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.page.build import write_page
from experiments.reproduction import artifacts
from experiments.reproduction.provenance import provenance
from experiments.reproduction.shares import is_first
from experiments.reproduction.store import Record, ResultsStore, Shown, ShownTable

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

METRICS = ("psnr", "ssim", "sam")


def run_store(folder: Path) -> ResultsStore:
    """Return the store that lies in a run's folder."""
    return ResultsStore(folder / "page")


def scenes_folder(folder: Path) -> Path:
    """Return where `callbacks.SceneArchive` of the run is to keep scenes, so that its page shows them."""
    return run_store(folder).folder("adapted") / "scenes"


def page_of_run(trainer: Trainer, folder: Path, title: str, seconds: float) -> Path | None:
    """Write `report.html` of a finished run into its folder.

    Args:
        trainer: of the run.
        folder: of the run, which holds its `results.csv`.
        title: of the page's table.
        seconds: that the run took.

    Returns:
        The page; None where nothing was scored, or on another rank than the first.
    """
    scores = folder / "results.csv"
    if not is_first() or not scores.is_file():
        return None
    with scores.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    store = run_store(folder)
    models = list(dict.fromkeys(line["model"] for line in lines))
    sets = list(dict.fromkeys(line["test_set"] for line in lines))
    protocol = (folder / "results.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("Protocol: ")
    for model in models:
        facts: dict[str, Any] = {}
        if model == "adapted":
            facts = artifacts.keep(trainer, store.folder(model))
            facts["degradation"] = artifacts.degradation_of(trainer)
        scenes = tuple(_scene(line) for line in lines if line["model"] == model)
        record = Record(model, "adapt", (), 0, "done", "", scenes, protocol, seconds, 0.0, facts, provenance())
        store.write(record)
    cells = [Shown(model, name, name, {}, {"0": model}) for model in models for name in sets]
    store.write_table(ShownTable("run", "small", title, "", "table", "", METRICS, models, sets, cells))
    return write_page(store, folder / "report.html")


def _scene(line: dict[str, str]) -> dict[str, Any]:
    return {"test_set": line["test_set"], "scene": line["scene"], **{one: float(line[one]) for one in METRICS}}
