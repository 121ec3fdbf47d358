"""Ours beside printed: means over seeds, spreads, differences, and why a cell is empty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.reproduction.store import Record, ResultsStore
from experiments.reproduction.summary import as_markdown, ranked, shown, summarised
from tests.experiments.reproduction.test_store import CELL, RECORD, TABLE


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    store = ResultsStore(tmp_path)
    store.write(RECORD)
    store.write(replace(RECORD, digest="d2", seed=1, scenes=tuple({**one, "psnr": 33.0} for one in RECORD.scenes)))
    return store


def test_a_cell_is_the_mean_over_seeds_with_its_spread_and_the_difference(store: ResultsStore) -> None:
    cell = replace(CELL, runs={"0": "d1", "1": "d2"})
    value = summarised(cell, ("psnr",), store).values["psnr"]
    assert value.mean == 32.5
    assert value.spread == pytest.approx(0.5**0.5)
    assert value.difference == 1.0
    assert value.seeds == 2
    assert shown(value, "psnr") == "32.50 ± 0.71"
    assert shown(summarised(CELL, ("psnr",), store).values["psnr"], "psnr") == "32.00"


def test_an_empty_cell_says_why(store: ResultsStore) -> None:
    absent = summarised(replace(CELL, runs={"0": "d9"}, lacks=["KAIST is not there"]), ("psnr",), store)
    assert (absent.status, absent.reason) == ("absent", "KAIST is not there")
    assert summarised(replace(CELL, runs={"0": "d9"}), ("psnr",), store).status == "waiting"
    store.write(Record("d9", "test", (), 0, "failed", "It broke."))
    failed = summarised(replace(CELL, runs={"0": "d9"}), ("psnr",), store)
    assert (failed.status, failed.reason) == ("failed", "It broke.")
    assert failed.values["psnr"].mean is None


def test_the_markdown_table_shows_both_numbers(store: ResultsStore) -> None:
    assert as_markdown(TABLE, store).splitlines() == [
        "| row | CAVE: PSNR (dB) |",
        "| --- | --- |",
        "| row | 32.00 (printed 31.5) |",
    ]
    waiting = replace(TABLE, cells=(replace(CELL, runs={"0": "none"}),))
    assert "| row | not run yet (printed 31.5) |" in as_markdown(waiting, store)


def test_a_sweep_is_ranked_and_says_what_was_not_made(store: ResultsStore) -> None:
    cells = tuple(replace(CELL, row=row, runs={"0": digest}) for row, digest in (("a", "d1"), ("b", "d2"), ("c", "no")))
    lines = ranked(replace(TABLE, cells=cells), store).splitlines()
    assert lines[2:4] == ["| b | 33.000 |", "| a | 32.000 |"]
    assert lines[-1] == "2 of 3 runs were made. note"
