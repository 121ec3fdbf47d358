"""The papers' tables and figures, run where their results are not yet and kept in a store.

`hyperalign reproduce hir_align/table6 --budget small --root CAVE=FOLDER` makes every run of the table that the store
lacks: sources are trained, networks adapted and tested. Rows whose data or weights are not there are shown as such.
Interrupted, it goes on where it stopped; the tasks of a SLURM job array share the runs, and the ranks of a distributed
run make each together. `--budget paper` takes the published networks, data and lengths; `--budget small` what one CPU
core runs in minutes. Several tables may fill one store; `hyperalign report STORE` makes a page of it.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.commands.tables import arguments_of, seed_of
from experiments.configuration.command_parser import CommandParser
from experiments.configuration.names import checked_names
from experiments.ending import last_lines
from experiments.reproduction.plan import Places, Run, places_of, planned
from experiments.reproduction.shares import is_first
from experiments.reproduction.specification import BUDGETS, TableSpecification, read_table, table_names
from experiments.reproduction.store import ResultsStore, Shown, ShownTable
from experiments.reproduction.summary import as_markdown


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill tables from the command line; 1 where a run failed."""
    parser = CommandParser("reproduce", __doc__)
    parser.add_argument(
        "tables", nargs="*", help=f"such as hir_align/table6, or a folder; of {', '.join(table_names())}"
    )
    parser.add_argument("--budget", choices=BUDGETS, default="small", help="small by default")
    parser.add_argument("--rows", nargs="+", default=None, metavar="ROW", help="some rows, by name")
    parser.add_argument(
        "--seeds", type=seed_of, nargs="+", default=[0], help="of noise, guides and training; 0 by default"
    )
    parser.add_argument("--root", action="append", default=[], metavar="NAME=FOLDER", help="folder of a data set")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH", help="weights that a row needs")
    parser.add_argument(
        "--output", type=Path, default=Path("results/store"), help="the store; results/store by default"
    )
    parser.add_argument("--list", action="store_true", help="say what there is to run and what is lacking, and stop")
    parser.add_argument("--sources", action="store_true", help="train the sources alone")
    parser.epilog = "Further options go to every run, such as --trainer.accelerator gpu or --config trainer/ddp."
    given, extra = arguments_of(parser, arguments)
    tables = [read_table(name, given.budget) for name in _named(given.tables)]
    rows = list(dict.fromkeys(row for table in tables for row in table.rows))
    checked_names("row", given.rows or [], rows)
    store = ResultsStore(given.output)
    known = {name for one in table_names() for cell in read_table(one, "paper").cells for name in cell.needs}
    checked_names("file of a table", [word.partition("=")[0] for word in given.file], sorted(known))
    places = places_of(given.root, given.file)
    runs = list[Run]()
    for table in tables:
        shown, own = _planned(table, given.budget, given.rows, given.seeds, places, extra)
        runs += own
        if is_first() and not given.list:
            store.write_table(shown)
    return _listed(runs, store) if given.list else _made(runs, store, [table.name for table in tables], given)


def _named(names: Sequence[str]) -> list[str]:
    """A folder's name stands for all its tables; no name for all there are."""
    known = table_names()
    if not names:
        return known
    found = [(name, [one for one in known if one.startswith(f"{name.rstrip('/')}/")]) for name in names]
    return list(dict.fromkeys(one for name, below in found for one in (below or [name])))


def _planned(
    table: TableSpecification,
    budget: str,
    rows: Sequence[str] | None,
    seeds: Sequence[int],
    places: Places,
    extra: Sequence[str],
) -> tuple[ShownTable, list[Run]]:
    """Return a table as it is shown, and the runs of its rows."""
    cells, runs = list[Shown](), list[Run]()
    for cell in table.cells:
        of_cell = [planned(cell, seed, places, extra) for seed in seeds]
        digests = {str(seed): run.digest for seed, run in zip(seeds, of_cell, strict=True)}
        cells.append(Shown(cell.row, cell.column, cell.test_set, cell.printed, digests, of_cell[0].lacks))
        if rows is None or cell.row in rows:
            runs += of_cell
    metrics, names, columns = table.metrics, table.rows, table.columns
    about = (table.name, budget, table.title, table.protocol, table.kind, table.note)
    return ShownTable(*about, metrics, names, columns, cells), runs


def _listed(runs: Sequence[Run], store: ResultsStore) -> int:
    from experiments.reproduction.execution import missing, unique

    for run in unique(runs):
        state = "; ".join(run.lacks) if run.lacks else ("to run" if missing(run, store) else "done")
        sys.stdout.write(f"{run.digest}  {run.command:<5}  seed {run.seed}  {state}: {shlex.join(run.words)}\n")
    return 0


def _made(runs: Sequence[Run], store: ResultsStore, names: Sequence[str], given: object) -> int:
    """Make this process's share of the runs that are missing, and say how the tables stand."""
    from experiments.reproduction.execution import make_share, unique

    wanted = unique([run.source for run in runs if run.source and not run.lacks]) if vars(given)["sources"] else runs
    failed = make_share(unique(wanted), store, lambda run: run.shared)
    if is_first():
        _told(store, names, vars(given)["budget"])
    return int(failed > 0)


def _told(store: ResultsStore, names: Sequence[str], budget: str) -> None:
    for table in store.tables():
        if table.name in names and table.budget == budget:
            sys.stdout.write(f"\n{table.title} ({budget})\n\n{as_markdown(table, store)}")
    sys.stdout.write("\n" + last_lines({"store": store.root}, ["report", str(store.root)]))


__all__ = ["Places", "main"]
