"""A table of a paper as YAML says it: rows, columns, printed numbers, and the command line of each cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from experiments.configuration.errors import ConfigError
from experiments.configuration.files import PACKAGED
from experiments.configuration.names import nearest_name
from hyperalign.errors import UsageError

TABLES = PACKAGED / "tables"
"""Folder of the packaged tables."""

BUDGETS = ("small", "paper")
"""`paper`: published networks, data and lengths; `small`: what one CPU core runs in minutes."""

METRICS = ("psnr", "ssim", "sam", "ergas")
_LAYER = {"let", "run", "source", "command", "set", "needs"}
_ROW = _LAYER | {"name", "method", "printed", "cells", *BUDGETS}
_COLUMN = _LAYER | {"name", "method", *BUDGETS}
_TABLE = {
    "title",
    "paper",
    "base",
    "protocol",
    "kind",
    "metrics",
    "columns",
    "methods",
    "rows",
    "note",
    *BUDGETS,
} | _LAYER


@dataclass(frozen=True)
class Words:
    """Configurations and settings of a command, in their order.

    Attributes:
        configs: names for `--config`.
        settings: further words of the command line.
    """

    configs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def line(self) -> list[str]:
        """Return the words of the command line."""
        return [*(word for name in self.configs for word in ("--config", name)), *self.settings]


@dataclass(frozen=True)
class Source:
    """Where a run's weights come from.

    Attributes:
        checkpoint: of the packaged ones in `hir_align/checkpoints`, by name; else it is trained.
        fit: words of the run that trains it.
        start: where that run's own weights come from; None trains it from the beginning.
    """

    checkpoint: str | None = None
    fit: Words = Words()
    start: Source | None = None


@dataclass(frozen=True)
class Cell:
    """One run of a table: a row under a column.

    Attributes:
        row: its name.
        column: its name.
        command: `adapt` or `test`.
        run: words of the run.
        source: where its weights come from; None where it needs none.
        test_set: the test set whose scenes are averaged; None for all of them.
        needs: what must be given beside data, name -> the option that takes its path.
        printed: the paper's number of each metric, where it prints one.
    """

    row: str
    column: str
    command: str
    run: Words
    source: Source | None
    test_set: str | None
    needs: Mapping[str, str]
    printed: Mapping[str, float]


@dataclass(frozen=True)
class TableSpecification:
    """One table or figure.

    Attributes:
        name: as `reproduce` takes it, such as `hir_align/table6`.
        title: what it is in the paper.
        protocol: how the paper measures and what is ours, in words.
        kind: `table`, or what a figure shows: `bars`, `embedding`, `examples`, `scenes`.
        metrics: in the paper's order.
        rows: names in the paper's order.
        columns: names in the paper's order.
        cells: of one budget.
        note: what the budget means, in words.
    """

    name: str
    title: str
    protocol: str
    kind: str
    metrics: tuple[str, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...] = field(default=())
    note: str = ""


def table_names(folder: Path = TABLES) -> list[str]:
    """Return the names of the tables in a folder, without those that only others are based on."""
    found = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.yaml"))
    return sorted(name.as_posix() for name in found if not name.name.startswith("_"))


def read_table(name: str, budget: str = "small", folder: Path = TABLES) -> TableSpecification:
    """Read a table with the cells of one budget.

    Args:
        name: such as `hir_align/table6`.
        budget: `small` or `paper`.
        folder: of the tables.

    Raises:
        UsageError: where there is no such table, naming the nearest one.
        ConfigError: where its file cannot be used, naming what is wrong.
    """
    wanted = name.removesuffix(".yaml")
    names = table_names(folder)
    if wanted not in names:
        raise UsageError(
            f"There is no table {name!r}: the nearest one is {nearest_name(wanted, names)!r}, of {', '.join(names)}."
        )
    content = _content(wanted, folder)
    _check(content, _TABLE, wanted)
    columns = {str(one["name"]): one for one in content.get("columns", [{"name": "CAVE"}])}
    rows = {str(one["name"]): one for one in content["rows"]}
    cells = []
    for row in content["rows"]:
        _check(row, _ROW, f"{wanted}, row {row.get('name')}")
        for column, own in columns.items():
            _check(own, _COLUMN, f"{wanted}, column {column}")
            if column in row.get("cells", columns):
                cells.append(_cell(wanted, content, row, own, budget))
    return TableSpecification(
        wanted,
        str(content["title"]),
        " ".join(str(content.get("protocol", "")).split()),
        str(content.get("kind", "table")),
        tuple(content.get("metrics", METRICS[:3])),
        tuple(rows),
        tuple(columns),
        tuple(cells),
        " ".join(str(content.get(budget, {}).get("note", "")).split()),
    )


def _content(name: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{name}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    base = content.pop("base", None)
    if base is None:
        return dict(content)
    below = _content((path.parent / base).relative_to(folder).as_posix(), folder)
    return _laid_over(below, content)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings, the second one's values over the first one's."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _check(settings: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in settings:
        if key not in known:
            raise ConfigError(f"The table {where} has no key {key!r}: the nearest one is {nearest_name(key, known)!r}.")


def _cell(
    name: str, content: Mapping[str, Any], row: Mapping[str, Any], column: Mapping[str, Any], budget: str
) -> Cell:
    """Lay table, column, method and row over each other, each followed by what it has for the budget."""
    methods = content.get("methods", {})
    wanted = row.get("method") or column.get("method")
    if wanted is not None and wanted not in methods:
        raise ConfigError(
            f"The table {name} has no method {wanted!r} (row {row['name']}): it has {', '.join(methods)}."
        )
    method = methods.get(wanted, {})
    layers = [layer for one in (content, column, method, row) for layer in (one, one.get(budget) or {})]
    values: dict[str, Any] = {}
    for layer in layers:
        values |= layer.get("let", {})
    sources = [layer["source"] for layer in layers if "source" in layer]
    needs = {key: word for layer in layers for key, word in (layer.get("needs") or {}).items()}
    printed = (row.get("printed") or {}).get(column["name"]) or []
    return Cell(
        str(row["name"]),
        str(column["name"]),
        str(next((layer["command"] for layer in reversed(layers) if "command" in layer), "test")),
        _words((layer.get("run", {}) for layer in layers), values),
        _source(sources[-1], values) if sources else None,
        next((layer["set"] for layer in reversed(layers) if "set" in layer), None),
        {key: str(word) for key, word in needs.items() if word is not None},
        {
            metric: float(value)
            for metric, value in zip(content.get("metrics", METRICS[:3]), printed, strict=False)
            if value is not None
        },
    )


def _words(layers: Iterator[Mapping[str, Any]] | Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Words:
    configs: list[str] = []
    settings: list[str] = []
    for layer in layers:
        configs += [text for one in layer.get("configs", []) if (text := str(one).format_map(values))]
        lines = (str(one).format_map(values) for one in layer.get("settings", []))
        settings += [word for line in lines if line for word in line.split(" ", 1)]
    return Words(tuple(configs), tuple(settings))


def _source(given: Mapping[str, Any] | None, values: Mapping[str, Any]) -> Source | None:
    if given is None:
        return None
    checkpoint = given.get("checkpoint")
    if checkpoint is not None:
        return Source(str(checkpoint).format_map(values))
    return Source(None, _words([given], values), _source(given.get("start"), values))
