"""All training-free fusion methods beside aligned bicubic enlargement, in one table with their seconds.

`hyperalign fusion_solvers --config data/cave --config tasks/fusion --data.init_args.root CAVE` tests every method of
`solvers/` that fuses on the test scenes of that data set and prints the means over scenes. `--blur 7 3.0` adds rows of
the methods that take a blur, told the Gaussian's size and sigma. A row whose results exist is not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
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
BICUBIC = "bicubic"
METHODS = ("gsa", "fuse", "cnmf", "iccv15")
METRICS = ("psnr", "ssim", "sam", "ergas")


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
    def name(self) -> str:
        """What the row is called."""
        return self.method if self.blur is None else f"{self.method}, blur given"

    def words(self, ratio: int) -> list[str]:
        """Command line words that choose the method."""
        if self.method == BICUBIC:
            return ["--config", "co2if/bicubic", "--model.init_args.network.init_args.scale", str(ratio)]
        words = ["--config", f"solvers/{self.method}"]
        if self.blur is not None:
            settings = {"blur": "gaussian", "kernel_size": self.blur[0], "sigma": self.blur[1]}
            for name, value in settings.items():
                words += [f"--model.init_args.solver.init_args.{name}", str(value)]
        return words


def rows_of(row: FusionRow, words: Sequence[str], ratio: int, output: Path) -> list[dict[str, str]]:
    """Scores of one row scene by scene, with the CPU seconds of a scene; tested where they do not exist yet."""
    folder = output / row.name.replace(", ", "_").replace(" ", "_")
    table, seconds = folder / "results.csv", folder / "seconds.json"
    if not (table.is_file() and seconds.is_file()):
        log.info("%s: fusing", row.name)
        results = ["--results", "callbacks.ResultsTable", "--results.init_args.folder", str(folder)]
        common = ["--trainer.logger", "false", "--trainer.default_root_dir", str(folder), "--verbose", "false"]
        ratios = ["--data.init_args.degradation.init_args.ratio", str(ratio)]
        protocol = ["--model.init_args.protocol", "MetricProtocol"]
        ergas = ["--model.init_args.protocol.init_args.ergas_ratio", str(ratio)]
        chosen = row.words(ratio)
        command = run(["test", *chosen, *words, *ratios, *protocol, *ergas, *results, *common])
        with table.open(newline="", encoding="utf-8") as file:
            scenes = len(list(csv.DictReader(file)))
        write_text(seconds, json.dumps(getattr(command.model, "cpu_seconds", 0.0) / max(scenes, 1)))
    taken = json.loads(seconds.read_text(encoding="utf-8"))
    with table.open(newline="", encoding="utf-8") as file:
        return [{**one, "model": row.name, "seconds": f"{taken:.2f}"} for one in csv.DictReader(file)]


def summary(rows: Sequence[dict[str, str]]) -> str:
    """Markdown table of means over scenes."""
    lines = [
        "| method | PSNR (dB) | SSIM | SAM (deg) | ERGAS | CPU s a scene |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == name]
        scores = {metric: mean(float(row[metric]) for row in own) for metric in METRICS}
        values = f"{scores['psnr']:.2f} | {scores['ssim']:.4f} | {scores['sam']:.2f} | {scores['ergas']:.2f}"
        lines.append(f"| {name} | {values} | {own[0]['seconds']} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = argparse.ArgumentParser(prog="hyperalign fusion_solvers", description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", action="append", default=[], help="data set and task; repeatable")
    parser.add_argument("--ratio", type=int, default=8, help="of the observations")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--blur", nargs=2, default=None, metavar=("SIZE", "SIGMA"), help="rows that are told the blur")
    parser.add_argument("--output", type=Path, default=Path("results") / "fusion_solvers")
    given, extra = parser.parse_known_args(arguments)
    configs = [word for name in given.config for word in ("--config", name)]
    wanted = [FusionRow(BICUBIC), *(FusionRow(method) for method in given.methods)]
    if given.blur is not None:
        told = (int(given.blur[0]), float(given.blur[1]))
        wanted += [FusionRow(method, told) for method in given.methods if method != "gsa"]
    rows = [one for row in wanted for one in rows_of(row, [*configs, *extra], given.ratio, given.output)]
    header = list(rows[0])
    lines = [",".join(header), *(",".join(f'"{row[key]}"' for key in header) for row in rows)]
    write_text(given.output / "scenes.csv", "\n".join(lines) + "\n")
    table = summary(rows)
    write_text(given.output / "table.md", table)
    Console().print(Markdown(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
