"""A table as CSV, LaTeX and JSON: the same numbers, special letters escaped, absent rows kept."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.page.build import page
from experiments.page.exports import as_csv, as_json, as_latex, as_rows, as_strict_json, cells_of
from experiments.page.payload import payload
from tests.experiments.page.small_store import small_store


def test_csv_and_json_hold_every_metric_of_every_cell(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    (table,) = store.tables()
    rows = list(csv.DictReader(io.StringIO(as_csv(table, store))))
    assert len(rows) == 9
    first = rows[0]
    assert (first["row"], first["metric"], first["ours"], first["printed"]) == ("ours & <b>", "psnr", "30.5", "31.0")
    assert (first["difference"], first["seeds"]) == ("-0.5", "2")
    assert rows[6]["status"] == "absent"
    assert rows[6]["reason"] == "KAIST is not there"
    content = json.loads(as_json(table, store))
    assert content["cells"] == as_rows(table, store)
    assert content["budget"] == "small"
    assert [row for row, _, _ in cells_of(table, store)] == ["ours & <b>", "2:1", "far"]


def test_latex_is_a_tabular_with_special_letters_escaped(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    (table,) = store.tables()
    lines = as_latex(table, store).splitlines()
    assert r"ours \& <b> & 30.50 $\pm$ 0.71 (31.00) & 0.9000 $\pm$ 0.0000 (0.9500) & 5.00 $\pm$ 0.00 (4.00) \\" in lines
    assert r"far & -- (31.00) & -- (0.9500) & -- (4.00) \\" in lines
    assert lines[1] == r"\begin{tabular}{lrrr}"
    assert lines[-1] == r"\end{tabular}"


def test_numbers_that_are_not_finite_are_null_in_json(tmp_path: Path) -> None:
    text = as_strict_json({"a": [math.nan, (math.inf, 1.5)], "b": {"c": -math.inf, "d": 'ä "</script>'}})
    assert json.loads(text) == {"a": [None, [None, 1.5]], "b": {"c": None, "d": 'ä "</script>'}}
    store = small_store(tmp_path)
    record = store.record("d0")
    assert record is not None
    store.write(replace(record, scenes=({**record.scenes[0], "psnr": math.nan}, *record.scenes[1:])))
    (table,) = store.tables()
    first = json.loads(as_json(table, store), parse_constant=pytest.fail)["cells"][0]
    assert (first["ours"], first["spread"], first["seeds"]) == (None, None, 2)
    assert page(payload(store, 2)).count(":NaN") == page({}).count(":NaN")
