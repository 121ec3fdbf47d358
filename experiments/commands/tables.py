"""What the tables of experiments share: each row is run where its results do not exist yet, and all are written down.

A row is one or more runs of the command line in this process. Its scores lie as `results.csv` in a folder of its own,
so that an interrupted table goes on where it stopped and several processes may fill the rows of one table.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, cast

from experiments.cli import run
from experiments.configuration.command_parser import CommandParser
from experiments.ending import last_lines, restoring
from hyperalign.errors import MissingFileError, UsageError
from hyperalign.files import put_in_place, write_text

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import ModelCheckpoint

    from experiments.configuration.lightning_cli import HyperalignCLI

log = logging.getLogger(__name__)

Scores = dict[str, str]
"""One scene's line of `results.csv`, with its `model` and `seed`."""


@dataclass(frozen=True)
class Table:
    """The words that all rows of a table share, and where its runs go.

    Attributes:
        configs: configurations laid over each other before a row's own.
        root: folder of the data set, where its configuration needs one.
        output: where runs and tables go.
        extra: further command line words of every run.
        settings: words that come before the extra ones.
    """

    configs: tuple[str, ...]
    root: str | None
    output: Path
    extra: tuple[str, ...] = ()
    settings: tuple[str, ...] = field(default=())

    def words(self, seed: int, folder: Path) -> list[str]:
        """Return the command line words of every run of one seed, which leaves its files in `folder`."""
        words = [word for name in self.configs for word in ("--config", name)]
        words += [*self.settings, "--data.seed", str(seed), "--seed_everything", str(seed)]
        words += ["--trainer.default_root_dir", str(folder)]
        return [*words, *(["--data.root", self.root] if self.root else []), *self.extra]

    def folder(self, seed: int, *parts: str) -> Path:
        """Return the folder of a row, or of a part of it, for one seed."""
        return self.output.joinpath(f"seed_{seed}", *(part.replace(" ", "_") for part in parts))


def table_parser(command: str, description: str | None, output: Path | None) -> CommandParser:
    """Return the parser of a table's command with the options that all of them take.

    Args:
        command: the word after `hyperalign`.
        description: what `--help` says about it.
        output: where runs and tables go by default; None leaves that to the command.
    """
    parser = CommandParser(command, description)
    parser.add_argument("--root", default=None, help="folder of the data set")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of noise, guides and training; 0 by default")
    parser.add_argument("--output", type=Path, default=output, help="folder for runs, table.md and scenes.csv")
    parser.epilog = "Further options go to every run, such as --config MINE or --trainer.accelerator gpu."
    return parser


def scored(
    table: Table,
    folder: Path,
    label: str,
    seed: int,
    words: Sequence[str],
    facts: Callable[[HyperalignCLI], Mapping[str, float]] | None = None,
) -> list[Scores]:
    """Return the scores of a row, running it where they do not exist yet.

    Args:
        table: what all rows share.
        folder: where the row's `results.csv` lies.
        label: what the row is called.
        seed: of the row's runs.
        words: the command (`test` or `adapt`) and what the row adds to the shared words.
        facts: takes from the finished command what else is to be known of the row, kept in `facts.json` beside the
            scores; each becomes a column.
    """
    scores, known = folder / "results.csv", folder / "facts.json"
    if not scores.exists() or (facts is not None and not known.exists()):
        log.info("seed %d, %s: %s", seed, label, words[0])
        results = ["--results.folder", str(folder), "--results.name", label]
        command = run([words[0], *table.words(seed, folder), "--verbose", "false", *words[1:], *results])
        if facts is not None:
            write_text(known, json.dumps(dict(facts(command))) + "\n")
    own = {"model": label, "seed": str(seed)}
    if facts is not None:
        kept = json.loads(known.read_text(encoding="utf-8"))
        own |= {name: str(value) if isinstance(value, int) else f"{value:.4g}" for name, value in kept.items()}
    with scores.open(newline="", encoding="utf-8") as file:
        return [{**line, **own} for line in csv.DictReader(file)]


def costs_of_a_scene(command: HyperalignCLI) -> dict[str, float]:
    """Return the mean CPU `seconds` and the largest `gibibytes` of a scene, where the module keeps them."""
    from lightning_modules.training_free import TrainingFreeModule

    model = command.model
    if not isinstance(model, TrainingFreeModule) or not model.seconds:
        return {}
    memory = {"gibibytes": max(model.gibibytes)} if model.gibibytes else {}
    return {"seconds": fmean(model.seconds)} | memory


def told_costs(rows: Iterable[Scores], **where: str) -> str:
    """Return the mean CPU seconds and the largest memory of chosen lines in words, as far as they are known."""
    chosen = [row for row in rows if all(row.get(column) == value for column, value in where.items())]
    seconds = [float(row["seconds"]) for row in chosen if row.get("seconds")]
    memory = [float(row["gibibytes"]) for row in chosen if row.get("gibibytes")]
    known = ([fmean(seconds)] if seconds else []) + ([max(memory)] if memory else [])
    return " / ".join(f"{value:.2f}" for value in known)


def fitted(table: Table, checkpoints: Sequence[Path], seed: int, words: Sequence[str]) -> HyperalignCLI | None:
    """Train a row where its checkpoints do not exist yet, and move them into place.

    Args:
        table: what all rows share.
        checkpoints: the files wanted, in one folder, named as the run's ModelCheckpoint names them.
        seed: of the run.
        words: what the row adds to the shared words.

    Returns:
        The finished command, or None where all checkpoints existed.

    Raises:
        MissingFileError: where the run did not write one of them.
    """
    if all(path.exists() for path in checkpoints):
        return None
    folder = checkpoints[0].parent
    log.info("seed %d, %s: fit", seed, folder.name)
    command = run(["fit", *table.words(seed, folder), *words])
    written = Path(cast("ModelCheckpoint", command.trainer.checkpoint_callback).dirpath or folder)
    for path in checkpoints:
        if not (written / path.name).exists():
            raise MissingFileError(
                f"The run in {folder} left no {path.name}: the overlays given must keep the ModelCheckpoint and the "
                "number of epochs of the table's own configurations."
            )
        put_in_place(written / path.name, path)
    return command


def averages(rows: Iterable[Scores], metrics: Sequence[str], **where: str) -> dict[str, float]:
    """Return the mean of each metric over the lines whose columns have the values given by `where`."""
    chosen = [row for row in rows if all(row.get(column) == value for column, value in where.items())]
    return {metric: fmean(float(row[metric]) for row in chosen) for metric in metrics}


def newest_checkpoint(folder: Path) -> list[str]:
    """Return the option that gives the checkpoint which a row left in its folder; no words where it left none."""
    found = sorted((folder / "checkpoints").glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    return ["--ckpt_path", str(found[-1])] if found else []


def best_restoring(rows: Sequence[Scores], kind: str, made: Mapping[str, Sequence[str]], **where: str) -> list[str]:
    """Return the words of the command that restores by the best row of a table; none where there is no such row.

    Args:
        rows: of the table.
        kind: `Folder` or `FusionPair`.
        made: by a row's name, the words that choose what it was tested with; rows that nobody would choose left out.
        where: values of columns, for the lines that are compared by their mean PSNR.
    """
    named = {row["model"] for row in rows if all(row.get(column) == value for column, value in where.items())}
    known = [name for name, words in made.items() if words and name in named]
    best = max(known, key=lambda name: averages(rows, ("psnr",), model=name, **where)["psnr"], default=None)
    return [] if best is None else restoring(kind, made[best])


def finish(output: Path, rows: Sequence[Scores], table: str, following: Sequence[str]) -> int:
    """Write `scenes.csv` and `table.md`, show the table and what comes next, and return the exit code 0."""
    from rich.console import Console
    from rich.markdown import Markdown

    header = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join(header), *(",".join(f'"{row.get(key, "")}"' for key in header) for row in rows)]
    write_text(output / "scenes.csv", "\n".join(lines) + "\n")
    write_text(output / "table.md", table)
    Console().print(Markdown(table))
    sys.stdout.write(last_lines({"table": output / "table.md", "scene by scene": output / "scenes.csv"}, following))
    return 0


def seed_of(word: str) -> int:
    """Return a seed of the command line: 0 to 2^32 - 1, as every generator takes it.

    Raises:
        ArgumentTypeError: where it is another.
    """
    if not (word.isdecimal() and int(word) < 2**32):
        raise argparse.ArgumentTypeError(f"{word!r} is no seed: give a whole number from 0 to {2**32 - 1}")
    return int(word)


def arguments_of(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[argparse.Namespace, tuple[str, ...]]:
    """Return what a table's own options say, and the further words for its runs.

    Raises:
        UsageError: where a word belongs to no option.
    """
    given, extra = parser.parse_known_args(arguments)
    before = ""
    for word in extra:
        if not word.startswith("--") and (not before.startswith("-") or "=" in before):
            raise UsageError(f"The word {word!r} belongs to no option: `{parser.prog} --help` shows what can be given.")
        before = word
    return given, tuple(extra)


def without(words: Sequence[str], sections: Sequence[str]) -> list[str]:
    """Return the words without the options of some sections of a config, such as `--proxy.rounds 2`."""
    kept: list[str] = []
    dropping = False
    for word in words:
        if word.startswith("--"):
            section = word[2:].partition("=")[0].partition(".")[0].removesuffix("+")
            dropping = section in sections
        if not dropping:
            kept.append(word)
    return kept
