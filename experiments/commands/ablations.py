"""CO2IF beside its ablations at equal steps, in one table.

`hyperalign ablations --root DATA --rows full without_cot without_text --seeds 0 1` trains `co2if/cave` with
the overlay of each row (see `co2if/ablations`), tests it and prints the means over scenes and seeds under those of
bicubic enlargement. `--config co2if/compact` makes it small enough for two cores. A row whose results exist is not
run again, so an interrupted table goes on where it stopped, and several processes may share the rows of one table.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.markdown import Markdown

from experiments.cli import run
from hyperalign.files import write_text

log = logging.getLogger(__name__)
OVERLAYS = Path(__file__).resolve().parent.parent / "co2if" / "ablations"
BICUBIC = "bicubic"
FULL = "full"
METRICS = ("psnr", "ssim", "sam", "ergas")


@dataclass(frozen=True)
class Ablation:
    """What all rows of a table share.

    Attributes:
        configs: configurations laid over each other before a row's own overlay.
        root: folder of the data set, if its configuration needs one.
        output: where runs and tables go.
        extra: further command line words.
    """

    configs: tuple[str, ...]
    root: str | None
    output: Path
    extra: tuple[str, ...] = ()

    def words(self, seed: int, folder: Path) -> list[str]:
        """Command line words of every run of one seed."""
        words = [word for name in self.configs for word in ("--config", name)]
        words += ["--data.init_args.seed", str(seed), "--seed_everything", str(seed)]
        words += ["--trainer.default_root_dir", str(folder), "--trainer.logger", "false"]
        words += ["--trainer.num_sanity_val_steps", "0"]
        return [*words, *(["--data.init_args.root", self.root] if self.root else []), *self.extra]


def rows_of(ablation: Ablation, row: str, seed: int) -> list[dict[str, str]]:
    """Scores of one row, scene by scene; the row is trained and tested where they do not exist yet."""
    folder = ablation.output / f"seed_{seed}" / row
    table = folder / "results.csv"
    if not table.exists():
        results = ["--results.init_args.folder", str(folder), "--results.init_args.name", row]
        words = ablation.words(seed, folder)
        if row == BICUBIC:
            run(["test", *words, *results, "--config", "co2if/bicubic", "--verbose", "false"])
        else:
            log.info("seed %d, %s: training", seed, row)
            overlay = [] if row == FULL else ["--config", f"co2if/ablations/{row}"]
            command = run(["fit", *words, *overlay, *results])
            command.trainer.test(command.model, datamodule=command.datamodule, verbose=False)
    with table.open(newline="", encoding="utf-8") as file:
        return [{**one, "model": row, "seed": str(seed)} for one in csv.DictReader(file)]


def summary(rows: Sequence[dict[str, str]]) -> str:
    """Markdown table of means over scenes and seeds, and the gain over bicubic enlargement."""
    lines = [
        "| row | PSNR (dB) | SSIM | SAM (deg) | ERGAS | over bicubic (dB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    averages = {
        row: {metric: mean(float(one[metric]) for one in rows if one["model"] == row) for metric in METRICS}
        for row in dict.fromkeys(one["model"] for one in rows)
    }
    for row, scores in averages.items():
        gain = scores["psnr"] - averages[BICUBIC]["psnr"]
        values = f"{scores['psnr']:.2f} | {scores['ssim']:.4f} | {scores['sam']:.2f} | {scores['ergas']:.2f}"
        lines.append(f"| {row} | {values} | {gain:+.2f} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    known = [FULL, *sorted(path.stem for path in OVERLAYS.glob("*.yaml"))]
    parser = argparse.ArgumentParser(prog="hyperalign ablations", description=__doc__)
    parser.add_argument("--root", default=None, help="folder of the data set")
    parser.add_argument("--config", action="append", default=[], help="configuration laid over co2if/cave; repeatable")
    parser.add_argument("--rows", nargs="+", default=known, choices=known, metavar="ROW", help=", ".join(known))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--output", type=Path, default=Path("results") / "ablations")
    given, extra = parser.parse_known_args(arguments)
    ablation = Ablation(("co2if/cave", *given.config), given.root, given.output, tuple(extra))
    rows = [one for row in (BICUBIC, *given.rows) for seed in given.seeds for one in rows_of(ablation, row, seed)]
    header = list(rows[0])
    lines = [",".join(header), *(",".join(row[key] for key in header) for row in rows)]
    write_text(given.output / "scenes.csv", "\n".join(lines) + "\n")
    table = summary(rows)
    write_text(given.output / "table.md", table)
    Console().print(Markdown(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
