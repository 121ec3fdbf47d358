"""`hyperalign report`: a page and, where asked for, files of its tables; no store is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.page.small_store import small_store


def test_the_page_lies_in_its_store_and_tables_where_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_store(tmp_path / "store")
    assert main(["report", str(tmp_path / "store"), "--export", str(tmp_path / "files"), "--scenes", "1"]) == 0
    page = tmp_path / "store" / "report.html"
    assert capsys.readouterr().out.startswith(f"page:           {page} (")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    assert names == [f"p_table1_small.{ending}" for ending in ("csv", "json", "tex")]


def test_no_store_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 1
    assert "holds no table: `hyperalign reproduce TABLE --output" in capsys.readouterr().err
