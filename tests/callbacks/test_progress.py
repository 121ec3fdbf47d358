"""One bar a label, drawn at the place that was reported, and only where there is one to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callbacks import progress
from callbacks.progress import StageBar
from tests.callbacks.tiny import tiny_trainer


class Bar:
    """Keeps what tqdm is told."""

    made: list[Bar]

    def __init__(self, desc: str, total: int, **_: Any) -> None:  # noqa: ANN401
        self.desc, self.total, self.n, self.closed = desc, total, 0.0, False
        type(self).made.append(self)

    def update(self, step: float) -> None:
        self.n += step

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    Bar.made = []
    monkeypatch.setattr(progress, "tqdm", Bar)
    return Bar.made


def test_a_bar_stands_where_the_last_report_put_it(bars: list[Bar]) -> None:
    with StageBar() as bar:
        for done in (0, 1.5, 1, 4):
            bar("Guides", done, 4)
        bar("Transfer", 2, 9)
        assert [(one.desc, one.n, one.total, one.closed) for one in bars] == [
            ("Guides", 4, 4, True),
            ("Transfer", 2, 9, False),
        ]
    assert bars[1].closed


def test_nothing_is_drawn_where_the_trainer_draws_nothing(tmp_path: Path, bars: list[Bar]) -> None:
    with StageBar.of(tiny_trainer(tmp_path, [])) as bar:
        bar("Guides", 1, 4)
    assert bars == []
    with StageBar.of(tiny_trainer(tmp_path, [], enable_progress_bar=True)) as bar:
        bar("Guides", 1, 4)
    assert len(bars) == 1
