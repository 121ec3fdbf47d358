"""A store: records by digest, tables that keep the seeds of earlier fillings, damage in a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.reproduction.store import Record, ResultsStore, Shown, ShownTable
from hyperalign.errors import InputError, MissingFileError

SCENES = (
    {"test_set": "observed", "scene": "a", "psnr": 30.0},
    {"test_set": "observed", "scene": "b", "psnr": 31.0},
    {"test_set": "unobserved", "scene": "c", "psnr": 35.0},
)
RECORD = Record("d1", "adapt", ("--config", "a"), 0, "done", scenes=SCENES)
CELL = Shown("row", "CAVE", None, {"psnr": 31.5}, {"0": "d1"})
TABLE = ShownTable("p/table1", "small", "T", "how", "table", "note", ("psnr",), ("row",), ("CAVE",), (CELL,))


def test_a_record_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    store = ResultsStore(tmp_path)
    assert store.record("d1") is None
    store.write(RECORD)
    found = store.record("d1")
    assert found is not None
    assert list(found.scenes) == list(SCENES)
    assert (found.digest, found.seed, found.status) == ("d1", 0, "done")
    assert [one.digest for one in store.records()] == ["d1"]


def test_means_are_over_a_test_set_or_all_scenes() -> None:
    assert RECORD.mean("psnr", "observed") == 30.5
    assert RECORD.mean("psnr") == 32.0
    assert RECORD.mean("sam") is None


def test_a_table_keeps_the_seeds_that_were_run_before(tmp_path: Path) -> None:
    store = ResultsStore(tmp_path)
    store.write_table(TABLE)
    store.write_table(replace(TABLE, cells=(replace(CELL, runs={"2": "d3", "1": "d2"}),)))
    (table,) = store.tables()
    assert table.cell("row", "CAVE") == replace(CELL, runs={"0": "d1", "1": "d2", "2": "d3"}, lacks=[])
    assert table.cell("row", "KAIST") is None
    store.write_table(replace(TABLE, budget="paper"))
    assert [one.budget for one in store.tables()] == ["paper", "small"]


def test_damage_and_emptiness_are_sentences(tmp_path: Path) -> None:
    store = ResultsStore(tmp_path)
    with pytest.raises(MissingFileError, match=r"holds no table: `hyperalign reproduce TABLE --output .*` fills"):
        store.check()
    store.write(RECORD)
    path = next((tmp_path / "runs").glob("*.json"))
    path.write_text(path.read_text()[:40])
    with pytest.raises(InputError, match=r"d1\.json of the results store is damaged: remove it, and run again\.$"):
        store.record("d1")
    path.write_text('{"format": 99}')
    with pytest.raises(InputError, match=r"has format 99 where 1 is read"):
        store.record("d1")
    assert list((tmp_path / "runs").iterdir()) == [path]


@pytest.mark.parametrize(
    "change",
    [{"extra": 1}, {"scenes": 3}, {"scenes": [{"psnr": 3.0}]}, {"scenes": [4]}, {"seed": "x"}, {"words": "--a"}],
)
def test_a_record_of_another_shape_is_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    store = ResultsStore(tmp_path)
    store.write(RECORD)
    path = tmp_path / "runs" / "d1.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for read in (store.records, lambda: store.record("d1")):
        with pytest.raises(InputError, match=r"d1\.json of the results store is damaged: remove it, and run again\.$"):
            read()


@pytest.mark.parametrize("content", [{"name": "x"}, {"cells": 3}, {"cells": [{"row": "a"}]}, {"cells": []}])
def test_a_table_of_another_shape_is_damaged(tmp_path: Path, content: dict[str, object]) -> None:
    store = ResultsStore(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.json").write_text(json.dumps({"format": 1, **content}))
    with pytest.raises(InputError, match=r"t\.json of the results store is damaged"):
        store.tables()
