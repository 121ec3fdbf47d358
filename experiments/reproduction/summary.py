"""Ours, printed and the difference, with the spread over seeds: what tables, pages and documents show of a store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from experiments.reproduction.store import Record, ResultsStore, Shown, ShownTable

HEADINGS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "sam": "SAM (deg)", "ergas": "ERGAS"}
DIGITS = {"psnr": 2, "ssim": 4, "sam": 2, "ergas": 2}


@dataclass(frozen=True)
class Value:
    """One metric of a cell.

    Attributes:
        mean: over scenes, then over seeds; None where nothing was run.
        spread: standard deviation over seeds; None below two.
        seeds: number of seeds that were run.
        printed: the paper's number, where it has one.
    """

    mean: float | None
    spread: float | None
    seeds: int
    printed: float | None

    @property
    def difference(self) -> float | None:
        """Ours less the printed number."""
        return None if self.mean is None or self.printed is None else self.mean - self.printed


@dataclass(frozen=True)
class Summary:
    """One cell: the values of its metrics, and why it has none.

    Attributes:
        values: metric -> value.
        status: `done`, `failed`, `absent` or `waiting`.
        reason: of what is not done.
    """

    values: dict[str, Value]
    status: str
    reason: str


def summarised(cell: Shown, metrics: Sequence[str], store: ResultsStore) -> Summary:
    """Return what a store knows of a cell."""
    found = [record for digest in cell.runs.values() if (record := store.record(digest)) is not None]
    done = [record for record in found if record.status == "done"]
    values = {metric: _value(metric, done, cell) for metric in metrics}
    if done:
        return Summary(values, "done", "")
    failed = next((record.reason for record in found if record.status == "failed"), "")
    lacking = "; ".join(cell.lacks)
    status = "failed" if failed else "absent" if lacking else "waiting"
    return Summary(values, status, failed or lacking or "not run yet")


def _value(metric: str, records: Sequence[Record], cell: Shown) -> Value:
    means = [mean for record in records if (mean := record.mean(metric, cell.test_set)) is not None]
    spread = stdev(means) if len(means) > 1 and all(map(math.isfinite, means)) else None
    return Value(fmean(means) if means else None, spread, len(means), cell.printed.get(metric))


def shown(value: Value, metric: str) -> str:
    """Return ours with its spread, such as `34.71 ± 0.02`; empty where there is nothing."""
    if value.mean is None:
        return ""
    digits = DIGITS[metric]
    text = f"{value.mean:.{digits}f}"
    return text if value.spread is None else f"{text} ± {value.spread:.{digits}f}"


def as_markdown(table: ShownTable, store: ResultsStore) -> str:
    """Return a table in Markdown: each cell's metrics ours and, in brackets, printed; what is absent says why."""
    heads = " / ".join(HEADINGS[metric] for metric in table.metrics)
    lines = [f"| row | {' | '.join(f'{column}: {heads}' for column in table.columns)} |"]
    lines.append("| --- |" + " --- |" * len(table.columns))
    lines += [
        f"| {row} | {' | '.join(_cell(table, row, column, store) for column in table.columns)} |" for row in table.rows
    ]
    return "\n".join(lines) + "\n"


def _cell(table: ShownTable, row: str, column: str, store: ResultsStore) -> str:
    cell = table.cell(row, column)
    if cell is None:
        return ""
    summary = summarised(cell, table.metrics, store)
    printed = [f"{cell.printed[one]:g}" for one in table.metrics if one in cell.printed]
    ours = " / ".join(shown(summary.values[one], one) for one in table.metrics)
    text = ours if summary.status == "done" else summary.reason
    return f"{text} (printed {' / '.join(printed)})" if printed else text


def ranked(table: ShownTable, store: ResultsStore) -> str:
    """Return a sweep's runs as a Markdown table, the largest first metric first, and how many of them were made."""
    heads = " | ".join(HEADINGS[metric] for metric in table.metrics)
    lines = []
    for cell in table.cells:
        summary = summarised(cell, table.metrics, store)
        values = [summary.values[metric].mean for metric in table.metrics]
        if values[0] is not None:
            numbers = " | ".join("" if one is None else f"{one:.3f}" for one in values)
            lines.append((values[0], f"| {cell.row} | {numbers} |"))
    lines.sort(key=lambda pair: math.inf if math.isnan(pair[0]) else -pair[0])
    made = f"{len(lines)} of {len(table.cells)} runs were made. {table.note}"
    rows = [f"| {table.title} | {heads} |", "| --- |" + " ---: |" * len(table.metrics), *(line for _, line in lines)]
    return "\n".join(rows) + f"\n\n{made}\n"
