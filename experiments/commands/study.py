"""Source-only, proxy-only, generated-only, mixed (1 to 3 rounds) and the clean-target upper bound, in one table.

`hyperalign study gaussian --root DATA --seeds 0 1` runs the packaged `hir_align` experiments on real CAVE
scenes, one `lightning fit` and `lightning test` after another, and writes what Tables VI, X and XI of HIR-ALIGN show.
A run whose results exist is not run again, so an interrupted study goes on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.markdown import Markdown

from experiments.cli import run
from hyperalign.files import put_in_place, write_text

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import ModelCheckpoint

log = logging.getLogger(__name__)
ROUNDS = 3
EPOCHS = 4
"""Length of one round in epochs, as the schedule of hir_align/adapt has it."""
SETS = ("observed", "unobserved")
SOURCE_ONLY = "source-only"
UPPER_BOUND = "clean target (upper bound)"


@dataclass(frozen=True)
class Study:
    """What one study runs: a task on a data set, with the checkpoint trained on the source for that task."""

    task: str
    data: str
    source: str
    root: str | None
    output: Path
    extra: tuple[str, ...] = ()

    def arguments(self, seed: int, folder: Path) -> list[str]:
        """Command-line arguments that every run of the study shares."""
        backbone = "backbones/sert_compact_x4" if self.task == "super_resolution" else "backbones/sert_compact"
        configs = (backbone, self.data, f"tasks/{self.task}", "hir_align/adapt", "hir_align/study")
        shared = [word for name in configs for word in ("--config", name)]
        shared += ["--model.init_args.source", self.source, "--data.init_args.seed", str(seed)]
        shared += ["--seed_everything", str(seed), "--trainer.default_root_dir", str(folder)]
        return [*shared, *(["--data.init_args.root", self.root] if self.root else []), *self.extra]

    def stages(self) -> list[str]:
        """Where the stages of adaptation keep what they make: one store for all rows, so that they share it."""
        return ["--proxy.init_args.store", str(self.output / "store")]


@dataclass(frozen=True)
class Run:
    """One finetuning run: its row of the table, and after how many rounds it is tested."""

    name: str
    training: str
    rounds: int = 1

    def options(self, study: Study, observed: Sequence[str]) -> list[str]:
        """What this run adds to the study's command line.

        The upper bound is the finetuning of one round on the clean observed scenes.
        """
        if self.training == "clean":
            scenes = [word for name in observed for word in ("--data.init_args.training+", name)]
            return ["--config", "hir_align/upper_bound", *scenes]
        options = [*study.stages(), "--synthesis.init_args.training", self.training]
        return [
            *options,
            "--proxy.init_args.rounds",
            str(self.rounds),
            "--trainer.max_epochs",
            str(EPOCHS * self.rounds),
        ]

    def epochs(self) -> list[int]:
        """Epochs, counted from 0, after which it is tested."""
        return [EPOCHS * number - 1 for number in range(1, self.rounds + 1)]


RUNS = (
    Run("proxy only", "proxy_only"),
    Run("generated only", "generated_only"),
    Run("mixed", "mixed", ROUNDS),
    Run(UPPER_BOUND, "clean"),
)


def run_study(study: Study, seeds: Sequence[int]) -> list[dict[str, str]]:
    """Run what is missing and return the per-scene rows of all runs, each with its seed and row name."""
    rows: list[dict[str, str]] = []
    for seed in seeds:
        rows += tested(study, seed, SOURCE_ONLY, None)
        observed = list(dict.fromkeys(row["scene"] for row in rows if row["test_set"] == "observed"))
        for one in RUNS:
            checkpoints = finetuned(study, one, seed, observed)
            for number, checkpoint in enumerate(checkpoints, start=1):
                label = f"{one.name}, round {number}" if one.rounds > 1 else one.name
                rows += tested(study, seed, label, checkpoint)
    return rows


def finetuned(study: Study, one: Run, seed: int, observed: Sequence[str]) -> list[Path]:
    """Checkpoints of a finetuning run at the epochs it is tested after, running it where they do not exist yet."""
    folder = study.output / f"seed_{seed}" / one.name.replace(" ", "_")
    checkpoints = [folder / f"epoch_{epoch}.ckpt" for epoch in one.epochs()]
    if not all(path.exists() for path in checkpoints):
        log.info("seed %d, %s: finetuning", seed, one.name)
        command = run(["fit", *study.arguments(seed, folder), *one.options(study, observed)])
        written = Path(cast("ModelCheckpoint", command.trainer.checkpoint_callback).dirpath or folder)
        for path in checkpoints:
            put_in_place(written / path.name, path)
    return checkpoints


def tested(study: Study, seed: int, label: str, checkpoint: Path | None) -> list[dict[str, str]]:
    """Rows of one tested model; the source-trained weights where no checkpoint is given."""
    folder = study.output / f"seed_{seed}" / "tests" / label.replace(" ", "_")
    table = folder / "results.csv"
    if not table.exists():
        options = ["--ckpt_path", str(checkpoint)] if checkpoint else []
        options += ["--results.init_args.folder", str(folder), "--results.init_args.compare_source", "false"]
        options += ["--results.init_args.name", label]
        run(["test", *study.arguments(seed, folder), "--verbose", "false", *options])
    with table.open(newline="", encoding="utf-8") as file:
        return [{**row, "model": label, "seed": str(seed)} for row in csv.DictReader(file)]


def summary(rows: Sequence[dict[str, str]]) -> str:
    """Markdown table: means over scenes and seeds, and the share of the gap that each row closes."""
    labels = list(dict.fromkeys(row["model"] for row in rows))
    lines = ["| training set | set | PSNR (dB) | SSIM | SAM (deg) | gain (dB) | share of the gap |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for test_set in SETS:
        values = {label: averages(rows, label, test_set) for label in labels}
        low, high = values[SOURCE_ONLY]["psnr"], values[UPPER_BOUND]["psnr"]
        for label in labels:
            gain = values[label]["psnr"] - low
            share = f"{gain / (high - low):.0%}" if high > low else "no gap"
            scores = f"{values[label]['psnr']:.2f} | {values[label]['ssim']:.4f} | {values[label]['sam']:.2f}"
            lines.append(f"| {label} | {test_set} | {scores} | {gain:+.2f} | {share} |")
    return "\n".join(lines) + "\n"


def averages(rows: Sequence[dict[str, str]], label: str, test_set: str) -> dict[str, float]:
    """Mean over seeds and scenes of each metric of one row of the table."""
    chosen = [row for row in rows if row["model"] == label and row["test_set"] == test_set]
    return {metric: mean(float(row[metric]) for row in chosen) for metric in ("psnr", "ssim", "sam")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = argparse.ArgumentParser(prog="hyperalign study", description=__doc__)
    parser.add_argument("task", help="a packaged task: gaussian, complex, super_resolution, ...")
    parser.add_argument("--data", default="hir_align/cave_target", help="config with the target scenes")
    parser.add_argument("--root", default=None, help="folder of the data set")
    parser.add_argument("--source", default=None, help="checkpoint trained on the source for this task")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--output", type=Path, default=None, help="results/study_TASK by default")
    given, extra = parser.parse_known_args(arguments)
    output = given.output or Path("results") / f"study_{given.task}"
    source = given.source or str(
        Path(__file__).resolve().parent.parent / "hir_align" / "checkpoints" / f"{given.task}.ckpt"
    )
    study = Study(given.task, given.data, source, given.root, output, tuple(extra))
    rows = run_study(study, given.seeds)
    write_rows(output / "scenes.csv", rows)
    table = summary(rows)
    write_text(output / "table.md", table)
    Console().print(Markdown(table))
    return 0


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Every scene of every run as CSV."""
    header = list(rows[0])
    write_text(path, "\n".join([",".join(header), *(",".join(row[key] for key in header) for row in rows)]) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
