"""Source-only, proxy-only, generated-only, mixed (1 to 3 rounds) and the clean-target upper bound, in one table.

`hyperalign study gaussian --root DATA --seeds 0 1` runs the packaged `hir_align` experiments on real CAVE
scenes, one fit and test after another, and writes what Tables VI, X and XI of HIR-ALIGN show.
A run whose results exist is not run again, so an interrupted study goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    finish,
    fitted,
    scored,
    source_checkpoint,
    table_parser,
    without,
)
from experiments.configuration.files import find_config

ROUNDS = 3
EPOCHS = 4
"""Length of one round in epochs, unless another one is asked for."""
SETS = ("observed", "unobserved")
METRICS = ("psnr", "ssim", "sam")
SOURCE_ONLY = "source-only"
UPPER_BOUND = "clean target (upper bound)"
STAGES = ("proxy", "synthesis")
"""The sections of a config that the upper bound does without."""


@dataclass(frozen=True)
class Study:
    """What one study runs: a task on a data set, with the checkpoint trained on the source for that task.

    Attributes:
        table: the words that all runs share.
        epochs: length of one round.
    """

    table: Table
    epochs: int = EPOCHS

    def stages(self) -> list[str]:
        """Return where the stages of adaptation keep what they make: one store for all rows, so that they share it."""
        return ["--proxy.store", str(self.table.output / "store")]


def study_of(
    task: str,
    data: str,
    source: str | None,
    table: Table,
    backbone: str | None = None,
    epochs: int = EPOCHS,
) -> Study:
    """Return the study of a task.

    Args:
        task: name of a packaged task.
        data: configuration with the target scenes.
        source: checkpoint trained on the source; None takes the shipped one.
        table: output, root and further words; its configurations are replaced.
        backbone: configuration of the network; None takes the compact SERT.
        epochs: length of one round.

    Raises:
        UsageError: where there is no such task.
        MissingFileError: where there is no such checkpoint.
        ConfigNotFoundError: where there is no such configuration.
    """
    checkpoint = source_checkpoint(task, source)
    compact = "backbones/sert_compact_x4" if task == "super_resolution" else "backbones/sert_compact"
    configs = (backbone or compact, data, f"tasks/{task}", "hir_align/adapt", "hir_align/study")
    for config in configs:
        find_config(config)
    return Study(Table(configs, table.root, table.output, table.extra, ("--model.source", checkpoint)), epochs)


@dataclass(frozen=True)
class Run:
    """One finetuning run: its row of the table, and after how many rounds it is tested."""

    name: str
    training: str
    rounds: int = 1

    def options(self, study: Study, observed: Sequence[str]) -> list[str]:
        """Return what this run adds to the study's command line.

        The upper bound is the finetuning of one round on the clean observed scenes.
        """
        length = ["--trainer.max_epochs", str(study.epochs * self.rounds)]
        if self.training == "clean":
            scenes = [word for name in observed for word in ("--data.training+", name)]
            return ["--config", "hir_align/upper_bound", *scenes, *length]
        rounds = ["--proxy.rounds", str(self.rounds)]
        return [*study.stages(), "--synthesis.training", self.training, *rounds, *length]

    def table(self, study: Study) -> Table:
        """Return the words that this run shares with the others."""
        if self.training != "clean":
            return study.table
        return replace(study.table, extra=tuple(without(study.table.extra, STAGES)))

    def epochs(self, study: Study) -> list[int]:
        """Return the epochs, counted from 0, after which it is tested."""
        return [study.epochs * number - 1 for number in range(1, self.rounds + 1)]


RUNS = (
    Run("proxy only", "proxy_only"),
    Run("generated only", "generated_only"),
    Run("mixed", "mixed", ROUNDS),
    Run(UPPER_BOUND, "clean"),
)


def run_study(study: Study, seeds: Sequence[int]) -> list[Scores]:
    """Run what is missing and return the per-scene rows of all runs, each with its seed and row name."""
    rows: list[Scores] = []
    for seed in seeds:
        rows += tested(study, seed, SOURCE_ONLY, None)
        observed = list(dict.fromkeys(row["scene"] for row in rows if row["test_set"] == "observed"))
        for one in RUNS:
            checkpoints = [study.table.folder(seed, one.name) / f"epoch_{epoch}.ckpt" for epoch in one.epochs(study)]
            fitted(one.table(study), checkpoints, seed, one.options(study, observed))
            for number, checkpoint in enumerate(checkpoints, start=1):
                label = f"{one.name}, round {number}" if one.rounds > 1 else one.name
                rows += tested(study, seed, label, checkpoint)
    return rows


def tested(study: Study, seed: int, label: str, checkpoint: Path | None) -> list[Scores]:
    """Return the rows of one tested model; the source-trained weights where no checkpoint is given."""
    words = ["test", "--results.compare_source", "false", *(["--ckpt_path", str(checkpoint)] if checkpoint else [])]
    return scored(study.table, study.table.folder(seed, "tests", label), label, seed, words)


def summary(rows: Sequence[Scores]) -> str:
    """Return the Markdown table: means over scenes and seeds, and the share of the gap that each row closes."""
    labels = list(dict.fromkeys(row["model"] for row in rows))
    lines = ["| training set | set | PSNR (dB) | SSIM | SAM (deg) | gain (dB) | share of the gap |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for test_set in SETS:
        values = {label: averages(rows, METRICS, model=label, test_set=test_set) for label in labels}
        low, high = values[SOURCE_ONLY]["psnr"], values[UPPER_BOUND]["psnr"]
        for label in labels:
            gain = values[label]["psnr"] - low
            share = f"{gain / (high - low):.0%}" if high > low else "no gap"
            scores = f"{values[label]['psnr']:.2f} | {values[label]['ssim']:.4f} | {values[label]['sam']:.2f}"
            lines.append(f"| {label} | {test_set} | {scores} | {gain:+.2f} | {share} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = table_parser("study", __doc__, None)
    parser.add_argument("task", help="a packaged task: gaussian, complex, super_resolution, ...")
    parser.add_argument("--data", default="hir_align/cave_target", help="config with the target scenes")
    parser.add_argument("--backbone", default=None, help="config of the network; the compact SERT by default")
    parser.add_argument("--source", default=None, help="checkpoint trained on the source for this task")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="length of one round; 4 by default")
    given, extra = arguments_of(parser, arguments)
    output = given.output or Path("results") / f"study_{given.task}"
    table = Table((), given.root, output, extra)
    study = study_of(given.task, given.data, given.source, table, given.backbone, given.epochs)
    rows = run_study(study, given.seeds)
    return finish(output, rows, summary(rows))
