"""All training-free fusion methods beside aligned bicubic enlargement, in one table with their seconds.

`hyperalign fusion-solvers --config data/cave --config tasks/fusion --root CAVE` tests every method of `solvers/` that
fuses on the test scenes of that data set and prints the means over scenes. `--blur 7 3.0` adds rows of the methods that
take a blur, told the Gaussian's size and sigma. A row whose results exist is not run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from experiments.configuration.files import find_config
from experiments.configuration.names import checked_names

BICUBIC = "bicubic"
METHODS = ("gsa", "fuse", "cnmf", "iccv15")
METRICS = ("psnr", "ssim", "sam", "ergas")
SETTINGS = ("--trainer.logger", "false", "--results", "ResultsTable")


@dataclass(frozen=True)
class FusionRow:
    """One row of the table.

    Attributes:
        method: a configuration of `solvers/`, or bicubic.
        blur: size and sigma of the Gaussian that the method is told; None lets it assume the toolbox's.
    """

    method: str
    blur: tuple[int, float] | None = None

    @property
    def label(self) -> str:
        """How it is called in the table."""
        return self.method if self.blur is None else f"{self.method}, blur given"

    def words(self, ratio: int) -> list[str]:
        """Return the command line words that choose the method."""
        if self.method == BICUBIC:
            words = ["--config", "co2if/bicubic", "--model.network.scale", str(ratio)]
        else:
            words = ["--config", f"solvers/{self.method}"]
        if self.blur is not None:
            settings = {"blur": "gaussian", "kernel_size": self.blur[0], "sigma": self.blur[1]}
            for name, value in settings.items():
                words += [f"--model.solver.{name}", str(value)]
        return [*words, "--model.protocol", "MetricProtocol", "--model.protocol.ergas_ratio", str(ratio)]


def rows_of(table: Table, row: FusionRow, ratio: int, seed: int) -> list[Scores]:
    """Return the scores of one row scene by scene, with the CPU seconds of a scene; tested where there are none yet."""
    folder = table.folder(seed, row.label.replace(",", ""))
    words = ["test", *row.words(ratio), "--data.degradation.ratio", str(ratio)]
    return scored(table, folder, row.label, seed, words, costs_of_a_scene)


def summary(rows: Sequence[Scores]) -> str:
    """Return the Markdown table of means over scenes and seeds."""
    lines = [
        "| method | PSNR (dB) | SSIM | SAM (deg) | ERGAS | CPU s / GiB a scene |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for label in dict.fromkeys(row["model"] for row in rows):
        scores = averages(rows, METRICS, model=label)
        values = f"{scores['psnr']:.2f} | {scores['ssim']:.4f} | {scores['sam']:.2f} | {scores['ergas']:.2f}"
        lines.append(f"| {label} | {values} | {told_costs(rows, model=label)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = table_parser("fusion-solvers", __doc__, Path("results") / "fusion_solvers")
    parser.add_argument("--config", action="append", default=[], help="data set and task; repeatable")
    parser.add_argument("--ratio", type=int, default=8, help="of the observations")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="METHOD", help="packaged methods")
    parser.add_argument("--blur", nargs=2, type=float, default=None, metavar=("SIZE", "SIGMA"), help="rows told it")
    given, extra = arguments_of(parser, arguments)
    checked_names("method", given.methods, METHODS)
    for config in given.config:
        find_config(config)
    wanted = [FusionRow(BICUBIC), *(FusionRow(method) for method in given.methods)]
    if given.blur is not None:
        told = (int(given.blur[0]), given.blur[1])
        wanted += [FusionRow(method, told) for method in given.methods if method != "gsa"]
    table = Table(tuple(given.config), given.root, given.output, extra, SETTINGS)
    rows = [line for row in wanted for seed in given.seeds for line in rows_of(table, row, given.ratio, seed)]
    made = {method: ["--config", f"solvers/{method}"] for method in given.methods}
    return finish(given.output, rows, summary(rows), best_restoring(rows, "FusionPair", made))
