"""CO2IF beside its ablations at equal steps, in one table.

`hyperalign ablations --root DATA --rows full without_cot without_text --seeds 0 1` trains `co2if/cave` with
the overlay of each row (see `co2if/ablations`), tests it and prints the means over scenes and seeds under those of
bicubic enlargement. `--config co2if/compact` makes it small enough for two cores. A row whose results exist is not
run again, so an interrupted table goes on where it stopped, and several processes may share the rows of one table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    best_restoring,
    finish,
    newest_checkpoint,
    scored,
    table_parser,
    without,
)
from experiments.configuration.files import PACKAGED, find_config
from experiments.configuration.names import checked_names
from hyperalign.errors import UsageError

OVERLAYS = PACKAGED / "co2if" / "ablations"
BICUBIC = "bicubic"
FULL = "full"
PRINTED_FULL = "50.25 / 0.9886 / 1.436 / 1.462"
TABLES = {
    "2": ["without_cot", "cross_entropy", "without_g", FULL],
    "3": ["convolution", "cross_attention", "cobra", "without_w", FULL],
    "4": ["lambda_0.01", "lambda_0.2", "gamma_0.01", "gamma_0.2", FULL],
    "figure5": ["without_text", "without_msi", FULL],
}
"""Rows of the paper's tables, and of the figure that compares reconstructions without one of the inputs."""

METRICS = ("psnr", "ssim", "sam", "ergas")
DIGITS = (2, 4, 2, 2)
SETTINGS = ("--trainer.logger", "false", "--trainer.num_sanity_val_steps", "0")


def rows_of(table: Table, row: str, seed: int) -> list[Scores]:
    """Return the scores of one row, scene by scene; the row is trained and tested where they do not exist yet."""
    if row == BICUBIC:
        words = ["test", "--config", "co2if/bicubic"]
        # what is set about CO2IF is nothing that an enlargement has
        table = replace(table, extra=tuple(without(table.extra, ("model",))))
    else:
        words = ["adapt", *([] if row == FULL else ["--config", f"co2if/ablations/{row}"])]
    return scored(table, table.folder(seed, row), row, seed, words)


def spread(values: Sequence[float], digits: int) -> str:
    """Return the mean of the seeds' values and, of several, their standard deviation."""
    text = f"{fmean(values):.{digits}f}"
    return f"{text} ± {stdev(values):.{digits}f}" if len(values) > 1 else text


def spreads(means: Sequence[Mapping[str, float]]) -> list[str]:
    """Return `spread` of each of the metrics, from the means of each seed."""
    return [spread([one[name] for one in means], digits) for name, digits in zip(METRICS, DIGITS, strict=True)]


def printed_scores(row: str) -> str:
    """Return what the paper prints for a row, PSNR / SSIM / SAM / ERGAS, from the first line of its overlay."""
    if row == FULL:
        return PRINTED_FULL
    path = OVERLAYS / f"{row}.yaml"
    first = path.read_text(encoding="utf-8").splitlines()[0] if path.is_file() else ""
    return first.partition("ERGAS: ")[2].partition(";")[0].partition(",")[0].rstrip(".")


def operations(configs: Sequence[str], row: str) -> str:
    """Return the GFLOPs of a row's network at 128 x 128 pixels; empty for bicubic enlargement."""
    if row == BICUBIC:
        return ""
    from experiments.commands.flops import gigaflops, network_settings
    from lightning_modules import CO2IF

    overlays = [*configs, *([] if row == FULL else [f"ablations/{row}"])]
    settings: dict[str, Any] = {}
    for config in overlays:
        try:
            settings |= network_settings(config)
        except UsageError:  # an overlay of the data alone
            continue
    return f"{gigaflops(CO2IF(**settings), 128):.2f}"


def summary(rows: Sequence[Scores], configs: Sequence[str] = ("co2if/cave",)) -> str:
    """Return the Markdown table: means over scenes, mean and spread over seeds, GFLOPs, and what the paper prints."""
    lines = [
        "| row | PSNR (dB) | SSIM | SAM (deg) | ERGAS | over bicubic (dB) | GFLOPs | printed |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    seeds = list(dict.fromkeys(one["seed"] for one in rows))
    for row in dict.fromkeys(one["model"] for one in rows):
        own = [seed for seed in seeds if any(one["model"] == row and one["seed"] == seed for one in rows)]
        means = [averages(rows, METRICS, model=row, seed=seed) for seed in own]
        floors = [averages(rows, METRICS, model=BICUBIC, seed=seed)["psnr"] for seed in own]
        gain = fmean(one["psnr"] - floor for one, floor in zip(means, floors, strict=True))
        cells = [row, *spreads(means), f"{gain:+.2f}", operations(configs, row), printed_scores(row)]
        lines.append(f"| {' | '.join(cells)} |")
    said = "± is the standard deviation over seeds. GFLOPs at 128 x 128 pixels and 77 words."
    lines.append(f"\nSeeds {', '.join(seeds)}; {said}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    known = [FULL, *sorted(path.stem for path in OVERLAYS.glob("*.yaml"))]
    parser = table_parser("ablations", __doc__, Path("results") / "ablations")
    parser.add_argument("--config", action="append", default=[], help="configuration laid over co2if/cave; repeatable")
    parser.add_argument("--rows", nargs="+", default=None, metavar="ROW", help=f"some of {', '.join(known)}")
    parser.add_argument("--table", choices=sorted(TABLES), help="rows of the paper's Table 2, 3 or 4, or Figure 5")
    given, extra = arguments_of(parser, arguments)
    chosen = given.rows or (TABLES[given.table] if given.table else known)
    checked_names("ablation", chosen, known)
    for config in given.config:
        find_config(config)
    table = Table(("co2if/cave", *given.config), given.root, given.output, extra, SETTINGS)
    rows = [one for row in (BICUBIC, *chosen) for seed in given.seeds for one in rows_of(table, row, seed)]
    made = {row: newest_checkpoint(table.folder(given.seeds[0], row)) for row in chosen}
    return finish(given.output, rows, summary(rows, table.configs), best_restoring(rows, "FusionPair", made))
