"""A table of a store as CSV, LaTeX and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.reproduction.store import ResultsStore, ShownTable
from experiments.reproduction.summary import DIGITS, HEADINGS, Summary, shown, summarised

_SPECIAL = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}"}
_SPECIAL |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "$": r"\$", "±": r"$\pm$"}


def cells_of(table: ShownTable, store: ResultsStore) -> Iterator[tuple[str, str, Summary]]:
    """Yield row, column and what is known of every cell, row by row."""
    for row in table.rows:
        for column in table.columns:
            cell = table.cell(row, column)
            if cell is not None:
                yield row, column, summarised(cell, table.metrics, store)


def as_rows(table: ShownTable, store: ResultsStore) -> list[dict[str, Any]]:
    """Return one mapping for each metric of each cell: ours, spread, seeds, printed, difference, status, reason."""
    rows = []
    for row, column, summary in cells_of(table, store):
        for metric, value in summary.values.items():
            numbers: dict[str, Any] = {"ours": value.mean, "spread": value.spread, "seeds": value.seeds}
            numbers |= {"printed": value.printed, "difference": value.difference}
            about = {"status": summary.status, "reason": summary.reason}
            rows.append({"row": row, "column": column, "metric": metric, **numbers, **about})
    return rows


def as_csv(table: ShownTable, store: ResultsStore) -> str:
    """Return the table as CSV, one line for each metric of each cell."""
    text = io.StringIO()
    rows = as_rows(table, store)
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["row"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_json(table: ShownTable, store: ResultsStore) -> str:
    """Return the table as JSON with its title, budget and protocol."""
    about = {"table": table.name, "title": table.title, "budget": table.budget, "note": table.note}
    return as_strict_json({**about, "protocol": table.protocol, "cells": as_rows(table, store)}, indent=1) + "\n"


def as_strict_json(content: Mapping[str, Any], indent: int | None = None) -> str:
    """Return JSON that browsers read: numbers that are not finite become null, which JSON has no word for."""
    separators = None if indent else (",", ":")
    return json.dumps(_finite(content), indent=indent, separators=separators, allow_nan=False)


def _finite(content: object) -> object:
    if isinstance(content, Mapping):
        return {key: _finite(one) for key, one in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(one) for one in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def as_latex(table: ShownTable, store: ResultsStore) -> str:
    """Return the table as a `tabular` of booktabs: each metric ours, and printed in brackets."""
    known = {(row, column): summary for row, column, summary in cells_of(table, store)}
    count = len(table.metrics)
    heads = " & ".join(rf"\multicolumn{{{count}}}{{c}}{{{_text(column)}}}" for column in table.columns)
    metrics = " & ".join(_text(HEADINGS[metric]) for _ in table.columns for metric in table.metrics)
    lines = [
        rf"% {table.title} ({table.budget} budget): ours (printed)",
        r"\begin{tabular}{l" + "r" * count * len(table.columns) + "}",
    ]
    lines += [r"\toprule", rf" & {heads} \\", rf" & {metrics} \\", r"\midrule"]
    for row in table.rows:
        cells = [_cell(known.get((row, column)), metric) for column in table.columns for metric in table.metrics]
        lines.append(rf"{_text(row)} & {' & '.join(cells)} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _cell(summary: Summary | None, metric: str) -> str:
    if summary is None:
        return ""
    value = summary.values[metric]
    printed = "" if value.printed is None else f" ({value.printed:.{DIGITS[metric]}f})"
    return _text((shown(value, metric) or "--") + printed)


def _text(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
