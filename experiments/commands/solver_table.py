"""Training-free methods beside each other and beside a trained network: scores, CPU seconds and memory a scene.

`hyperalign solver-table --root DATA` tests every packaged `solvers/NAME` on the target scenes of the CAVE study, for
Gaussian and for complex noise: with its published defaults, and with `auto` for what depends on the noise or the rank.
A row whose results exist is not run again.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    best_restoring,
    costs_of_a_scene,
    finish,
    scored,
    table_parser,
    told_costs,
)
from experiments.configuration.files import PACKAGED, find_config, source_checkpoint
from experiments.configuration.names import checked_names

TASKS = ("gaussian", "complex")
METRICS = ("psnr", "ssim", "sam")
NETWORK = "source network"
TRAINED = {"hir_diff"}
"""Methods that need weights of their own to be told."""
NO_AUTOMATIC = {"fast_hyde", "hyres"}
"""Methods of another package, without such arguments; rows where it is installed."""
AUTOMATIC = {"lrmr": ("rank", "threshold")}
"""What `auto` stands for in a method's arguments, where it is not rank and tau."""
SETTINGS = ("--trainer.logger", "false", "--results", "ResultsTable", "--results.compare_source", "false")


@dataclass(frozen=True)
class Row:
    """One line of the table: a packaged solver, as published or blind; or the packaged source network."""

    solver: str
    automatic: bool = False

    @property
    def label(self) -> str:
        """How it is called in the table."""
        return f"{self.solver}, auto" if self.automatic else self.solver

    def words(self, task: str) -> list[str]:
        """Return the command line words that choose it."""
        if self.solver == NETWORK:
            return ["--config", "backbones/sert_compact", "--model.source", source_checkpoint(task, None)]
        words = ["--config", f"solvers/{self.solver}"]
        for name in AUTOMATIC.get(self.solver, ("rank", "tau")) if self.automatic else ():
            words += [f"--model.solver.{name}", "auto"]
        return words


def rows(solvers: Sequence[str]) -> list[Row]:
    """Return the source network and every solver in both forms."""
    forms = [(name, blind) for name in solvers for blind in (False, True)]
    return [Row(NETWORK), *(Row(*form) for form in forms if form[0] not in NO_AUTOMATIC or not form[1])]


def packaged() -> list[str]:
    """Return the names of the packaged solvers that denoise here, without weights of their own."""
    installed = importlib.util.find_spec("hyde") is not None
    left_out = TRAINED if installed else TRAINED | NO_AUTOMATIC
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (PACKAGED / "solvers").glob("*.yaml")}
    return sorted(name for name, text in texts.items() if ".SolverModule" in text and name not in left_out)


def rows_of(table: Table, row: Row, task: str, seed: int) -> list[Scores]:
    """Return the scores of one row on one task, scene by scene, with the CPU seconds of a scene."""
    own = replace(table, configs=(*table.configs, f"tasks/{task}"))
    folder = table.folder(seed, task, row.label.replace(",", ""))
    found = scored(own, folder, row.label, seed, ["test", *row.words(task)], costs_of_a_scene)
    return [{**line, "task": task} for line in found]


def summary(lines: Sequence[Scores]) -> str:
    """Return the Markdown table: a line a method, the tasks side by side."""
    tasks = list(dict.fromkeys(line["task"] for line in lines))
    head = " | ".join(f"{task}: PSNR (dB) / SSIM / SAM (deg) | CPU s / GiB a scene" for task in tasks)
    written = [f"| method | {head} |", "| --- |" + " ---: | ---: |" * len(tasks)]
    for label in dict.fromkeys(line["model"] for line in lines):
        cells = []
        for task in tasks:
            means = averages(lines, METRICS, model=label, task=task)
            cells.append(f"{means['psnr']:.2f} / {means['ssim']:.3f} / {means['sam']:.1f}")
            cells.append(told_costs(lines, model=label, task=task))
        written.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(written) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = table_parser("solver-table", __doc__, Path("results") / "solvers")
    parser.add_argument("--data", default="hir_align/cave_target", help="configuration with the scenes")
    parser.add_argument("--solvers", nargs="+", default=packaged(), metavar="SOLVER", help="packaged solvers")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), metavar="TASK", help="packaged denoising tasks")
    given, extra = arguments_of(parser, arguments)
    checked_names("solver", given.solvers, packaged())
    checked_names("task", given.tasks, TASKS)
    find_config(given.data)
    table = Table((given.data,), given.root, given.output, extra, SETTINGS)
    found = [
        line
        for row in rows(given.solvers)
        for task in given.tasks
        for seed in given.seeds
        for line in rows_of(table, row, task, seed)
    ]
    task = given.tasks[0]
    made = {row.label: row.words(task) for row in rows(given.solvers)}
    return finish(given.output, found, summary(found), best_restoring(found, "Folder", made, task=task))
