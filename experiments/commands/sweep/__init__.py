"""A sweep without a server: every combination of a grid is run and kept in a store, one after another.

`hyperalign sweep adaptation_small --root CAVE=FOLDER` makes the commands that an agent of Weights & Biases makes of
`experiments/sweeps/adaptation_small.yaml`, without its logger, runs those that the store lacks, and shows them with the
metric that the sweep optimises, best first. `--print` prints the commands alone.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.commands.tables import arguments_of, seed_of
from experiments.configuration.command_parser import CommandParser
from experiments.ending import last_lines
from experiments.reproduction.plan import Places, Run, places_of, planned
from experiments.reproduction.shares import is_first
from experiments.reproduction.specification import Cell, Source, Words
from experiments.reproduction.store import ResultsStore, Shown, ShownTable
from experiments.reproduction.summary import ranked
from experiments.reproduction.sweeps import Sweep, read_sweep, sweep_names
from hyperalign.errors import UsageError

COLUMN = "unobserved"
METRICS = ("psnr", "ssim", "sam")
_DROPPED = ("--config=logger/", "--data.root=", "--model.source=")
"""Words of an agent's command that this machine has words of its own for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a grid from the command line; 1 where a run failed."""
    parser = CommandParser("sweep", __doc__)
    parser.add_argument("sweep", help=f"a packaged sweep or a file: {', '.join(sweep_names())}")
    parser.add_argument(
        "--seeds", type=seed_of, nargs="+", default=[0], help="of noise, guides and training; 0 by default"
    )
    parser.add_argument("--root", action="append", default=[], metavar="NAME=FOLDER", help="folder of a data set")
    parser.add_argument(
        "--output", type=Path, default=Path("results/store"), help="the store; results/store by default"
    )
    parser.add_argument("--print", action="store_true", help="print the agent's commands and stop")
    given, extra = arguments_of(parser, arguments)
    sweep = read_sweep(given.sweep)
    if given.print:
        lines = [shlex.join(sweep.line(values)) for values in sweep.combinations()]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        return 0
    cells = {_label(values): cell_of(sweep, values) for values in sweep.combinations()}
    store = ResultsStore(given.output)
    return _made(sweep, cells, given.seeds, places_of(given.root, []), extra, store)


def cell_of(sweep: Sweep, values: Mapping[str, Any]) -> Cell:
    """Return the run of one combination.

    Raises:
        UsageError: where the sweep is no grid of adaptations from a packaged source.
    """
    line = sweep.line(values)
    sources = [word.partition("=")[2] for word in line if word.startswith("--model.source=")]
    if not sweep.grid or line[1] != "adapt" or not sources:
        raise UsageError(
            f"The sweep {sweep.name} is for an agent: what runs without one is a grid of `hyperalign adapt` with "
            "--model.source; --print shows its commands."
        )
    words = [word.partition("=") for word in line[2:] if not word.startswith(_DROPPED)]
    configs = tuple(value for key, _, value in words if key == "--config")
    settings = tuple(word for key, _, value in words if key != "--config" for word in (key, value))
    source = Source(Path(sources[0]).stem)
    return Cell(_label(values), COLUMN, "adapt", Words(configs, settings), source, COLUMN, {}, {})


def _label(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in values.items())


def _made(
    sweep: Sweep,
    cells: Mapping[str, Cell],
    seeds: Sequence[int],
    places: Places,
    extra: Sequence[str],
    store: ResultsStore,
) -> int:
    from experiments.reproduction.execution import make_share

    runs: dict[str, list[Run]] = {
        label: [planned(cell, seed, places, extra) for seed in seeds] for label, cell in cells.items()
    }
    shown = [
        Shown(label, COLUMN, COLUMN, {}, {str(run.seed): run.digest for run in own}, own[0].lacks)
        for label, own in runs.items()
    ]
    title = f"Sweep {sweep.name}: {sweep.metric}"
    note = "The best run's numbers are the largest of many on the same scenes, and so flatter it."
    table = ShownTable(
        f"sweeps/{sweep.name}", "small", title, "", "table", note, METRICS, list(cells), (COLUMN,), shown
    )
    if is_first():
        store.write_table(table)
    every = [run for own in runs.values() for run in own]
    failed = make_share(every, store, lambda run: run.digest)
    if is_first():
        sys.stdout.write(ranked(table, store))
        lacking = [lack for run in every for lack in run.lacks]
        sys.stdout.writelines(f"Not run: {lack}\n" for lack in dict.fromkeys(lacking))
        sys.stdout.write(last_lines({"store": store.root}, ["report", str(store.root)]))
    return int(failed > 0)
