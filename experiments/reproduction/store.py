"""The results store: one file a run, written beside and renamed, and one file a table that says which runs it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import parsed_json, write_text

FORMAT = 1
"""Of the files of a store."""


@dataclass(frozen=True)
class Record:
    """A run and what came of it.

    Attributes:
        digest: of its configuration.
        command: `fit`, `adapt` or `test`.
        words: of its command line, without paths.
        seed: of the run.
        status: `done`, `failed` or `absent`.
        reason: why it is not done, in a sentence.
        scenes: one mapping a scene: `test_set`, `scene`, and its metrics.
        protocol: how they were measured, in words.
        seconds: on the clock, CPU seconds included apart in `facts`.
        memory: peak of the process in GiB.
        facts: what else is known of it: numbers.
        provenance: commit, versions, machine, time.
        source: digest of the run whose weights it started from, or the file's name.
    """

    digest: str
    command: str
    words: tuple[str, ...]
    seed: int
    status: str
    reason: str = ""
    scenes: tuple[Mapping[str, Any], ...] = ()
    protocol: str = ""
    seconds: float = 0.0
    memory: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None

    def mean(self, metric: str, test_set: str | None = None) -> float | None:
        """Return the mean of a metric over the scenes of a test set, or over all; None where there is none."""
        values = [one[metric] for one in self.scenes if test_set in (None, one["test_set"]) and metric in one]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Shown:
    """A cell of a table as a store keeps it.

    Attributes:
        row: its name.
        column: its name.
        test_set: the test set that is averaged; None for all.
        printed: metric -> the paper's number.
        runs: seed -> digest.
        lacks: what is not there to run it.
    """

    row: str
    column: str
    test_set: str | None
    printed: Mapping[str, float]
    runs: Mapping[str, str]
    lacks: Sequence[str] = ()


@dataclass(frozen=True)
class ShownTable:
    """A table as a store keeps it, with everything a page needs of it.

    Attributes:
        name: such as `hir_align/table6`.
        budget: `small` or `paper`.
        title: what it is in the paper.
        protocol: how the paper measures, in words.
        kind: `table`, or what a figure shows.
        note: what the budget means, in words.
        metrics: in the paper's order.
        rows: names in the paper's order.
        columns: names in the paper's order.
        cells: row by row.
    """

    name: str
    budget: str
    title: str
    protocol: str
    kind: str
    note: str
    metrics: Sequence[str]
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Shown]

    def cell(self, row: str, column: str) -> Shown | None:
        """Return a cell; None where the paper has none."""
        return next((one for one in self.cells if (one.row, one.column) == (row, column)), None)


class ResultsStore:
    """Runs and tables of a folder; several processes may fill it together.

    Args:
        root: the folder; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, digest: str) -> Path:
        """Return the folder that a run keeps its files in."""
        return self.root / "work" / digest

    def stages(self) -> Path:
        """Return the folder where stages of adaptation keep what they make, so that runs share it."""
        return self.root / "stages"

    def checkpoint(self, digest: str) -> Path:
        """Return where the weights of a source run lie."""
        return self.root / "sources" / f"{digest}.ckpt"

    def record(self, digest: str) -> Record | None:
        """Return a run's record; None where there is none.

        Raises:
            InputError: where its file is damaged.
        """
        path = self._run(digest)
        return _record(path) if path.is_file() else None

    def records(self) -> list[Record]:
        """Return all records, in the order of their digests."""
        return [_record(path) for path in sorted((self.root / "runs").glob("*.json"))]

    def write(self, record: Record) -> None:
        """Keep a record in the place of an older one."""
        write_text(self._run(record.digest), _text(asdict(record)))

    def tables(self) -> list[ShownTable]:
        """Return all tables, by name."""
        return list(self._tables())

    def write_table(self, table: ShownTable) -> None:
        """Keep a table; seeds that an older one shows are kept beside the new ones."""
        path = self.root / "tables" / table.budget / f"{table.name.replace('/', '.')}.json"
        before = {(one.row, one.column): one for old in self._tables() if _same(old, table) for one in old.cells}
        cells = [_joined(before.get((one.row, one.column)), one) for one in table.cells]
        write_text(path, _text({**asdict(table), "cells": [asdict(one) for one in cells]}))

    def check(self) -> None:
        """Refuse a folder that is no store.

        Raises:
            MissingFileError: naming the folder.
        """
        if not any((self.root / "tables").rglob("*.json")):
            raise MissingFileError(
                f"The folder {self.root} holds no table: `hyperalign reproduce TABLE --output {self.root}` fills one."
            )

    def _run(self, digest: str) -> Path:
        return self.root / "runs" / f"{digest}.json"

    def _tables(self) -> Iterator[ShownTable]:
        for path in sorted((self.root / "tables").rglob("*.json")):
            content = _loaded(path)
            try:
                yield ShownTable(**{**content, "cells": tuple(Shown(**one) for one in content["cells"])})
            except (TypeError, KeyError) as error:
                raise _damaged(path) from error


def _same(one: ShownTable, other: ShownTable) -> bool:
    return (one.name, one.budget) == (other.name, other.budget)


def _joined(old: Shown | None, new: Shown) -> Shown:
    runs = {**(old.runs if old else {}), **new.runs}
    ordered = dict(sorted(runs.items(), key=lambda pair: int(pair[0])))
    return Shown(new.row, new.column, new.test_set, new.printed, ordered, new.lacks)


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps({"format": FORMAT, **content}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _record(path: Path) -> Record:
    try:
        record = Record(**_loaded(path))
        known = all({"test_set", "scene"} <= set(scene) for scene in record.scenes)
        numbers = [record.seed, record.seconds, record.memory]
        whole = known and all(isinstance(one, int | float) for one in numbers) and not isinstance(record.words, str)
    except TypeError as error:
        raise _damaged(path) from error
    if not whole:
        raise _damaged(path)
    return record


def _damaged(path: Path) -> InputError:
    return InputError(f"The file {path} of the results store is damaged: remove it, and run again.")


def _loaded(path: Path) -> dict[str, Any]:
    try:
        content = parsed_json(path.read_text(encoding="utf-8"))
        found = content.pop("format")
    except (ValueError, KeyError, AttributeError) as error:
        raise _damaged(path) from error
    if found != FORMAT:
        raise InputError(f"The file {path} has format {found} where {FORMAT} is read: fill a store of its own.")
    return dict(content)
