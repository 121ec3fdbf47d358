"""Measured pages: what stands between the marks is what the store says."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.configuration.files import PACKAGED
from experiments.page.documents import with_tables, written
from experiments.reproduction.store import ResultsStore
from hyperalign.errors import MissingFileError
from tests.experiments.page.small_store import small_store

DOCS = PACKAGED.parent / "docs"


def test_marked_places_are_filled_and_nothing_else_is_touched(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    text = "before\n<!-- table p/table1 small -->\nold 99.99\n<!-- end -->\nafter\n"
    filled = with_tables(text, store)
    assert filled.startswith("before\n<!-- table p/table1 small -->\n\n| row |")
    assert filled.endswith("\n<!-- end -->\nafter\n")
    assert "99.99" not in filled
    assert "| ours & <b> | 30.50 ± 0.71 / 0.9000 ± 0.0000 / 5.00 ± 0.00 (printed 31 / 0.95 / 4) |" in filled
    assert "Seeds 0, 1; 2 runs, 6 CPU seconds, commit abc." in filled
    assert with_tables(filled, store) == filled
    assert written(store.tables()[0], store) in filled


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no table p/table2 at the budget paper"):
        with_tables("<!-- table p/table2 paper -->\n<!-- end -->", small_store(tmp_path))


def test_facts_of_a_file_are_a_table_of_two_columns(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    text = "<!-- facts theory -->\n<!-- end -->\n"
    with pytest.raises(MissingFileError, match=r"holds no theory\.json"):
        with_tables(text, store)
    (tmp_path / "theory.json").write_text('{"kappa": 51.17294, "support": 2}')
    assert "| kappa | 51.17 |\n| support | 2 |\n" in with_tables(text, store)


def test_the_numbers_of_the_measured_pages_are_the_stores() -> None:
    store = ResultsStore(DOCS / "measured")
    places = 0
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        places += text.count("<!-- table ")
        assert with_tables(text, store) == text, f"hyperalign report docs/measured --include {page.name} mends it"
    assert places >= 3
