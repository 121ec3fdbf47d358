"""The tables of docs/study.md are those of the scores kept in docs/measured/study."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from experiments.commands.study import summary

DOCS = Path(__file__).parents[1] / "docs"
KEPT = sorted((DOCS / "measured/study").glob("*.csv"))


def test_there_are_scores_of_both_splits() -> None:
    names = {path.stem for path in KEPT}
    assert {f"{task}_{split}" for task in ("gaussian", "complex") for split in ("every_other", "first_four")} <= names


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_every_line_of_the_page_is_what_the_scores_say(kept: Path) -> None:
    with kept.open(newline="") as file:
        rows = list(csv.DictReader(file))
    page = (DOCS / "study.md").read_text()
    for line in summary(rows).strip().splitlines():
        assert line in page, line
