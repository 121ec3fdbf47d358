"""What adaptation gains on real scenes, where it comes from, and what clean scenes would have given, in one table.

`hyperalign study gaussian --root DATA --seeds 0 1` runs packaged experiments on real CAVE scenes, one fit and test
after another. Recipe `paper` is HIR-ALIGN to the letter: proxy-only, generated-only, mixed (1 to 3 rounds) and the same
finetuning on clean scenes, as Tables VI, X and XI have them. Recipe `ours` is `hir_align/adapt`: the solver alone, the
source finetuned further without any target, proxies alone, mixed, and the same recipe on clean scenes.
A run whose results exist is not run again, so an interrupted study goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev

from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    best_restoring,
    finish,
    fitted,
    scored,
    table_parser,
    without,
)
from experiments.configuration.files import find_config, packaged_configs, source_checkpoint
from experiments.configuration.names import checked_names

ROUNDS = 3
EPOCHS = 4
"""Length of one round in epochs, unless another one is asked for."""
SETS = ("observed", "unobserved")
METRICS = ("psnr", "ssim", "sam")
SOURCE_ONLY = "source-only"
UPPER_BOUND = "clean target (upper bound)"
OUR_BOUND = "ours, clean target (upper bound)"
STAGES = ("proxy", "synthesis")
"""The sections of a config that the upper bound does without."""
CONFIGS = {"paper": "hir_align/paper", "ours": "hir_align/adapt"}
"""The recipes."""
RCTV = ("whitened RCTV alone", "solvers/whitened_rctv", ("--model.solver.rank", "5"))
SOLVERS = {
    "gaussian": RCTV,
    "complex": RCTV,
    "band_missing": ("band interpolation alone", "solvers/band_interpolation", ()),
}
"""Row, configuration and settings of what restores a task without any training."""


@dataclass(frozen=True)
class Study:
    """What one study runs: a task on a data set, with the checkpoint trained on the source for that task.

    Attributes:
        table: the words that all runs share, but for the recipe.
        epochs: length of one round.
        task: name of the task.
        data: configuration with the target scenes.
    """

    table: Table
    epochs: int = EPOCHS
    task: str = "gaussian"
    data: str = "hir_align/cave_target"

    def recipe(self, name: str) -> Table:
        """Return the words that all runs of a recipe share."""
        own = f"hir_align/adapt_{self.task}"
        more = [own] if name == "ours" and own in packaged_configs() else []
        *before, last = self.table.configs
        return replace(self.table, configs=(*before, CONFIGS[name], *more, last))

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
    configs = (backbone or compact, data, f"tasks/{task}", "hir_align/study")
    for config in configs:
        find_config(config)
    shared = Table(configs, table.root, table.output, table.extra, ("--model.source", checkpoint))
    return Study(shared, epochs, task, data)


@dataclass(frozen=True)
class Run:
    """One finetuning run: its row of the table, and after how many rounds it is tested.

    Attributes:
        name: of its row.
        training: what is trained on: a training set of the stages, the `clean` observed scenes, or `source` scenes.
        rounds: of adaptation.
        recipe: `paper` or `ours`.
    """

    name: str
    training: str
    rounds: int = 1
    recipe: str = "paper"

    def options(self, study: Study, observed: Sequence[str]) -> list[str]:
        """Return what this run adds to the study's command line.

        The upper bound is the finetuning of one round on the clean observed scenes.
        """
        length = ["--trainer.max_epochs", str(study.epochs * self.rounds)]
        if self.training == "source":
            return ["--config", "hir_align/upper_bound", *length]
        if self.training == "clean":
            scenes = [word for name in observed for word in ("--data.training+", name)]
            return ["--config", "hir_align/upper_bound", *scenes, *length]
        rounds = ["--proxy.rounds", str(self.rounds)]
        stages = study.stages()
        if self.recipe == "ours" and self.training == "proxy_only":
            return ["--config", "hir_align/proxy_only", *stages, *rounds, *length]
        return [*stages, "--synthesis.training", self.training, *rounds, *length]

    def table(self, study: Study) -> Table:
        """Return the words that this run shares with the others."""
        table = study.recipe(self.recipe)
        if self.training not in ("clean", "source"):
            return table
        table = replace(table, extra=tuple(without(table.extra, STAGES)))
        if self.training == "clean":
            return table
        configs = tuple("data/sample_scenes" if name == study.data else name for name in table.configs)
        return replace(table, configs=configs, root=None)

    def checkpoints(self, study: Study, seed: int) -> dict[str, Path]:
        """Return the checkpoints that are tested, each by the name of its row: one after every round."""
        named = [
            f"{self.name}, round {number}" if self.rounds > 1 else self.name for number in range(1, self.rounds + 1)
        ]
        folder = study.table.folder(seed, self.name)
        return {name: folder / f"epoch_{study.epochs * number - 1}.ckpt" for number, name in enumerate(named, start=1)}


RUNS = (
    Run("proxy only", "proxy_only"),
    Run("generated only", "generated_only"),
    Run("mixed", "mixed", ROUNDS),
    Run(UPPER_BOUND, "clean"),
    Run("ours without a target", "source", recipe="ours"),
    Run("ours, proxy only", "proxy_only", recipe="ours"),
    Run("ours, mixed", "mixed", recipe="ours"),
    Run(OUR_BOUND, "clean", recipe="ours"),
)


def run_study(
    study: Study, seeds: Sequence[int], recipes: Sequence[str] = tuple(CONFIGS), names: Sequence[str] = ()
) -> list[Scores]:
    """Run what is missing and return the per-scene rows of all runs, each with its seed and row name.

    Args:
        study: the task, its data and its source.
        seeds: of noise, guides and training.
        recipes: `paper`, `ours` or both.
        names: the runs wanted; none takes all of the recipes'.
    """
    rows: list[Scores] = []
    for seed in seeds:
        rows += tested(study, seed, SOURCE_ONLY, None)
        observed = list(dict.fromkeys(row["scene"] for row in rows if row["test_set"] == "observed"))
        if "ours" in recipes and study.task in SOLVERS:
            rows += solved(study, seed)
        for one in RUNS:
            if one.recipe not in recipes or (names and one.name not in names):
                continue
            checkpoints = one.checkpoints(study, seed)
            fitted(one.table(study), list(checkpoints.values()), seed, one.options(study, observed))
            for label, checkpoint in checkpoints.items():
                rows += tested(study, seed, label, checkpoint, one.recipe)
    return rows


def following(study: Study, seed: int, rows: Sequence[Scores]) -> list[str]:
    """Return the words of the command that restores cubes by the best row without clean target scenes."""
    made = {SOURCE_ONLY: ["--ckpt_path", study.table.settings[-1]]}
    if study.task in SOLVERS:
        label, config, settings = SOLVERS[study.task]
        made[label] = ["--config", config, *settings]
    for one in RUNS:
        if one.training != "clean":
            made |= {label: ["--ckpt_path", str(path)] for label, path in one.checkpoints(study, seed).items()}
    return best_restoring(rows, "Folder", made, test_set="unobserved")


def tested(study: Study, seed: int, label: str, checkpoint: Path | None, recipe: str = "paper") -> list[Scores]:
    """Return the rows of one tested model; the source-trained weights where no checkpoint is given."""
    words = ["test", "--results.compare_source", "false", *(["--ckpt_path", str(checkpoint)] if checkpoint else [])]
    return scored(study.recipe(recipe), study.table.folder(seed, "tests", label), label, seed, words)


def solved(study: Study, seed: int) -> list[Scores]:
    """Return the rows of the solver that proxies are made by, alone; overlays given for the network are not its."""
    label, config, settings = SOLVERS[study.task]
    configs = (config, study.data, f"tasks/{study.task}")
    extra = tuple(without(study.table.extra, (*STAGES, "config", "model", "averaging", "trainer", "pictures")))
    table = replace(study.table, configs=configs, settings=settings, extra=extra)
    return scored(table, study.table.folder(seed, "tests", label), label, seed, ["test"])


def summary(rows: Sequence[Scores]) -> str:
    """Return the Markdown table: means over scenes and seeds, and the share of each clean gain that a row reaches."""
    labels = list(dict.fromkeys(row["model"] for row in rows))
    bounds = {UPPER_BOUND: "share of the gap", OUR_BOUND: "share of our gap"}
    bounds = {label: title for label, title in bounds.items() if label in labels}
    titles = ["training set", "set", "PSNR (dB)", "SSIM", "SAM (deg)", "gain (dB)", *bounds.values()]
    lines = [f"| {' | '.join(titles)} |", f"| --- | --- |{' ---: |' * (len(titles) - 2)}"]
    seeds = list(dict.fromkeys(row.get("seed", "") for row in rows))
    for test_set in SETS:
        values = {label: averages(rows, METRICS, model=label, test_set=test_set) for label in labels}
        low = values[SOURCE_ONLY]["psnr"]
        for label in labels:
            gain = values[label]["psnr"] - low
            gaps = [values[bound]["psnr"] - low for bound in bounds]
            shares = "".join(f" {gain / gap:.0%} |" if gap > 0 else " no gap |" for gap in gaps)
            scores = f"{values[label]['psnr']:.2f} | {values[label]['ssim']:.4f} | {values[label]['sam']:.2f}"
            spread = _spread(rows, label, test_set, seeds)
            lines.append(f"| {label} | {test_set} | {scores} | {gain:+.2f}{spread} |{shares}")
    if len(seeds) > 1:
        lines.append(f"\nSeeds {', '.join(seeds)}; ± is the standard deviation of the gain over seeds.")
    return "\n".join(lines) + "\n"


def _spread(rows: Sequence[Scores], label: str, test_set: str, seeds: Sequence[str]) -> str:
    """Return the standard deviation of a row's gain over the seeds that have it; empty for one seed."""
    gains = []
    for seed in seeds:
        chosen = [row for row in rows if row["test_set"] == test_set and row.get("seed") == seed]
        if {label, SOURCE_ONLY} <= {row["model"] for row in chosen}:
            own, low = (averages(chosen, ("psnr",), model=model)["psnr"] for model in (label, SOURCE_ONLY))
            gains.append(own - low)
    return f" ± {stdev(gains):.2f}" if len(gains) > 1 and label != SOURCE_ONLY else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = table_parser("study", __doc__, None)
    parser.add_argument("task", help="a packaged task: gaussian, complex, super_resolution, ...")
    parser.add_argument("--data", default="hir_align/cave_target", help="config with the target scenes")
    parser.add_argument("--backbone", default=None, help="config of the network; the compact SERT by default")
    parser.add_argument("--source", default=None, help="checkpoint trained on the source for this task")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="length of one round; 4 by default")
    parser.add_argument("--recipes", nargs="+", default=list(CONFIGS), choices=list(CONFIGS), help="both by default")
    parser.add_argument("--rows", nargs="+", default=[], help="rows to finetune for, by name; all by default")
    given, extra = arguments_of(parser, arguments)
    output = given.output or Path("results") / f"study_{given.task}"
    table = Table((), given.root, output, extra)
    study = study_of(given.task, given.data, given.source, table, given.backbone, given.epochs)
    checked_names("row", given.rows, [one.name for one in RUNS])
    rows = run_study(study, given.seeds, given.recipes, given.rows)
    return finish(output, rows, summary(rows), following(study, given.seeds[0], rows))
