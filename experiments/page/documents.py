"""Tables of a store in Markdown pages, between marks, so that no number of theirs is typed."""

from __future__ import annotations

import re

from experiments.reproduction.store import ResultsStore, ShownTable
from experiments.reproduction.summary import as_markdown, ranked
from hyperalign.errors import MissingFileError
from hyperalign.files import parsed_json

_FACTS = re.compile(r"(<!-- facts ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_PLACE = re.compile(r"(<!-- table (\S+) (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str, store: ResultsStore) -> str:
    """Return a page with every `<!-- table NAME BUDGET -->` ... `<!-- end -->` filled from a store.

    `<!-- facts NAME -->` is filled with the numbers of the store's `NAME.json`.

    Args:
        text: Markdown.
        store: which holds the tables that it asks for.

    Raises:
        MissingFileError: naming a table, or a file, that the store does not hold.
    """
    tables = {(one.name, one.budget): one for one in store.tables()}

    def filled(place: re.Match[str]) -> str:
        table = tables.get((place[2], place[3]))
        if table is None:
            raise MissingFileError(
                f"The store {store.root} holds no table {place[2]} at the budget {place[3]}, which the page asks for: "
                f"`hyperalign reproduce {place[2]} --budget {place[3]}` makes it."
            )
        return f"{place[1]}\n{written(table, store)}\n{place[4]}"

    def told(place: re.Match[str]) -> str:
        path = store.root / f"{place[2]}.json"
        if not path.is_file():
            raise MissingFileError(
                f"The store {store.root} holds no {path.name}, which the page asks for: put it there."
            )
        facts = parsed_json(path.read_text(encoding="utf-8"))
        lines = ["| term | value |", "| --- | ---: |", *(f"| {name} | {value:.4g} |" for name, value in facts.items())]
        return f"{place[1]}\n{chr(10).join(lines)}\n\n{place[3]}"

    return _FACTS.sub(told, _PLACE.sub(filled, text))


def written(table: ShownTable, store: ResultsStore) -> str:
    """Return a table as a page shows it, with its budget and where its numbers come from."""
    if table.name.startswith("sweeps/"):
        return ranked(table, store)
    seeds = sorted({seed for cell in table.cells for seed in cell.runs}, key=int)
    digests = {digest for cell in table.cells for digest in cell.runs.values()}
    records = [record for digest in sorted(digests) if (record := store.record(digest)) and record.status == "done"]
    seconds = sum(float(record.facts.get("cpu_seconds", record.seconds)) for record in records)
    commits = sorted({_short(str(record.provenance.get("commit", ""))) for record in records} - {""})
    facts = f"{len(records)} runs, {seconds:.0f} CPU seconds, commit {', '.join(commits) or 'unknown'}"
    said = f"Seeds {', '.join(seeds)}; {facts}. ± is the standard deviation over seeds."
    return f"{as_markdown(table, store)}\n{said} {table.note}\n"


def _short(commit: str) -> str:
    """Return a commit's first letters, and whether files differed from it."""
    name, plus, changes = commit.partition("+")
    return name[:12] + plus + changes
