"""One page of a results store that opens anywhere without a network.

`hyperalign report STORE` writes `STORE/report.html`: every table with ours, the printed number, the difference and the
spread over seeds; scenes to browse (any three bands, a wipe between observation, source-only, restored and target,
error maps, spectra of any pixel); proxies, guides and synthesised scenes; t-SNE; the estimated degradation. Tables can
be downloaded as CSV, LaTeX and JSON, figures as pictures. `hyperalign reproduce` fills a store. `--include PAGE` writes
tables into the marked places of a Markdown page, so that none of its numbers is typed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.configuration.command_parser import CommandParser
from experiments.ending import last_lines
from experiments.page.build import write_page
from experiments.page.documents import with_tables
from experiments.page.exports import as_csv, as_json, as_latex
from experiments.reproduction.specification import table_names
from experiments.reproduction.store import ResultsStore
from hyperalign.files import write_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, and the tables as files where asked for."""
    parser = CommandParser("report", __doc__)
    parser.add_argument("store", type=Path, help="folder that `hyperalign reproduce` filled")
    parser.add_argument("--output", type=Path, default=None, help="the HTML file; STORE/report.html by default")
    parser.add_argument("--scenes", type=int, default=8, help="scenes to browse, at most; 8 by default")
    parser.add_argument("--export", type=Path, default=None, help="folder for the tables as CSV, LaTeX and JSON")
    parser.add_argument("--include", type=Path, action="append", default=[], help="Markdown page to write tables into")
    given = parser.parse_args(arguments)
    store = ResultsStore(given.store)
    for document in given.include:
        write_text(document, with_tables(document.read_text(encoding="utf-8"), store))
    path = write_page(store, given.output or given.store / "report.html", given.scenes)
    if given.export is not None:
        for table in store.tables():
            stem = f"{table.name.replace('/', '_')}_{table.budget}"
            for ending, write in ((".csv", as_csv), (".tex", as_latex), (".json", as_json)):
                write_text(given.export / f"{stem}{ending}", write(table, store))
    places = {"page": f"{path} ({path.stat().st_size / 2**20:.1f} MB)"}
    places |= {} if given.export is None else {"tables": str(given.export)}
    sys.stdout.write(last_lines(places, following(store)))
    return 0


def following(store: ResultsStore) -> list[str]:
    """Return the words of the command that says which runs of the first table's budget are lacking still."""
    known = [table for table in store.tables() if table.name in table_names()]
    if not known:
        return []
    budget = known[0].budget
    names = dict.fromkeys(table.name for table in known if table.budget == budget)
    return ["reproduce", *names, "--budget", budget, "--output", str(store.root), "--list"]
