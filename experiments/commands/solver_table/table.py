"""Training-free methods beside each other and beside a trained network: PSNR, SSIM, SAM and CPU seconds a scene.

`hyperalign solver-table --root DATA` tests every packaged `solvers/NAME` on the target scenes of the CAVE study, for
Gaussian and for complex noise: with its published defaults, and with `auto` for what depends on the noise or the rank.
A row whose results exist is not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.markdown import Markdown

from experiments.cli import run
from hyperalign.files import write_text
from lightning_modules import SolverModule

log = logging.getLogger(__name__)
PACKAGED = Path(__file__).resolve().parents[2]
TASKS = ("gaussian", "complex")
NETWORK = "source network"
TRAINED = {"hir_diff"}
"""Methods that need weights of their own to be told."""
AUTOMATIC = {"lrmr": ("rank", "threshold")}
"""What `auto` stands for in a method's arguments, where it is not rank and tau."""


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
        """Command-line arguments that choose it."""
        if self.solver == NETWORK:
            checkpoint = PACKAGED / "hir_align" / "checkpoints" / f"{task}.ckpt"
            return ["--config", "backbones/sert_compact", "--model.init_args.source", str(checkpoint)]
        words = ["--config", f"solvers/{self.solver}"]
        for name in AUTOMATIC.get(self.solver, ("rank", "tau")) if self.automatic else ():
            words += [f"--model.init_args.solver.init_args.{name}", "auto"]
        return words


def rows(solvers: Sequence[str]) -> list[Row]:
    """Return the source network and every solver in both forms."""
    return [Row(NETWORK), *(Row(solver, automatic) for solver in solvers for automatic in (False, True))]


def packaged() -> list[str]:
    """Return the names of the packaged solvers that denoise."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (PACKAGED / "solvers").glob("*.yaml")}
    return sorted(name for name, text in texts.items() if ".SolverModule" in text and name not in TRAINED)


def tested(row: Row, task: str, shared: Sequence[str], output: Path) -> dict[str, float]:
    """Mean scores over all scenes, and seconds a scene; run where they do not exist yet."""
    folder = output / task / row.label.replace(", ", "_").replace(" ", "_")
    facts = folder / "mean.json"
    if not facts.exists():
        log.info("%s, %s", task, row.label)
        # The data come before the task, which says what is done to them.
        words = [*row.words(task), *shared, "--config", f"tasks/{task}", "--trainer.default_root_dir", str(folder)]
        words += ["--results", "ResultsTable", "--results.init_args.folder", str(folder), "--verbose", "false"]
        command = run(["test", *words, "--results.init_args.compare_source", "false"])
        model = command.model
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            scenes = list(csv.DictReader(file))
        scores = {metric: fmean(float(scene[metric]) for scene in scenes) for metric in ("psnr", "ssim", "sam")}
        if isinstance(model, SolverModule):
            scores["seconds"] = fmean(model.seconds)
        write_text(facts, json.dumps(scores) + "\n")
    return {str(name): float(value) for name, value in json.loads(facts.read_text(encoding="utf-8")).items()}


def summary(scores: dict[tuple[str, str], dict[str, float]]) -> str:
    """Markdown table: a line a method, the tasks side by side."""
    tasks = list(dict.fromkeys(task for task, _ in scores))
    head = " | ".join(f"{task}: PSNR (dB) / SSIM / SAM (deg) | CPU s a scene" for task in tasks)
    lines = [f"| method | {head} |", "| --- |" + " ---: | ---: |" * len(tasks)]
    for label in dict.fromkeys(label for _, label in scores):
        cells = []
        for task in tasks:
            found = scores[task, label]
            cells.append(f"{found['psnr']:.2f} / {found['ssim']:.3f} / {found['sam']:.1f}")
            cells.append(f"{found['seconds']:.2f}" if "seconds" in found else "")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` in its output folder."""
    parser = argparse.ArgumentParser(prog="hyperalign solver-table", description=__doc__)
    parser.add_argument("--data", default="hir_align/cave_target", help="config with the scenes")
    parser.add_argument("--root", default=None, help="folder of the data set")
    parser.add_argument("--solvers", nargs="+", default=packaged(), help="names of packaged solvers")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), help="packaged denoising tasks")
    parser.add_argument("--output", type=Path, default=Path("results") / "solvers")
    given, extra = parser.parse_known_args(arguments)
    shared = ["--config", given.data, *(["--data.init_args.root", given.root] if given.root else []), *extra]
    shared += ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false"]
    chosen = rows(given.solvers)
    scores = {(task, row.label): tested(row, task, shared, given.output) for row in chosen for task in given.tasks}
    table = summary(scores)
    write_text(given.output / "table.md", table)
    Console().print(Markdown(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
