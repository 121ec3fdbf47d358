"""CO2IF beside its ablations at equal steps, in one table.

`hyperalign ablations --root DATA --rows full without_cot without_text --seeds 0 1` trains `co2if/cave` with
the overlay of each row (see `co2if/ablations`), tests it and prints the means over scenes and seeds under those of
bicubic enlargement. `--config co2if/compact` makes it small enough for two cores. A row whose results exist is not
run again, so an interrupted table goes on where it stopped, and several processes may share the rows of one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    checked_names,
    finish,
    scored,
    table_parser,
    without,
)
from experiments.configuration.files import PACKAGED, find_config

OVERLAYS = PACKAGED / "co2if" / "ablations"
BICUBIC = "bicubic"
FULL = "full"
METRICS = ("psnr", "ssim", "sam", "ergas")
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


def summary(rows: Sequence[Scores]) -> str:
    """Return the Markdown table of means over scenes and seeds, and the gain over bicubic enlargement."""
    lines = [
        "| row | PSNR (dB) | SSIM | SAM (deg) | ERGAS | over bicubic (dB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    means = {row: averages(rows, METRICS, model=row) for row in dict.fromkeys(one["model"] for one in rows)}
    for row, scores in means.items():
        gain = scores["psnr"] - means[BICUBIC]["psnr"]
        values = f"{scores['psnr']:.2f} | {scores['ssim']:.4f} | {scores['sam']:.2f} | {scores['ergas']:.2f}"
        lines.append(f"| {row} | {values} | {gain:+.2f} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    known = [FULL, *sorted(path.stem for path in OVERLAYS.glob("*.yaml"))]
    parser = table_parser("ablations", __doc__, Path("results") / "ablations")
    parser.add_argument("--config", action="append", default=[], help="configuration laid over co2if/cave; repeatable")
    parser.add_argument("--rows", nargs="+", default=known, metavar="ROW", help=f"some of {', '.join(known)}")
    given, extra = arguments_of(parser, arguments)
    checked_names("ablation", given.rows, known)
    for config in given.config:
        find_config(config)
    table = Table(("co2if/cave", *given.config), given.root, given.output, extra, SETTINGS)
    rows = [one for row in (BICUBIC, *given.rows) for seed in given.seeds for one in rows_of(table, row, seed)]
    return finish(given.output, rows, summary(rows))
