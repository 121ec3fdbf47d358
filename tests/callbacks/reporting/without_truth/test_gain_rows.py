"""Rows of what is estimated without truth: what is written, and what fits a terminal."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console
from rich.table import Table

from callbacks.reporting.without_truth.gain_rows import GainRow, as_csv, as_markdown, as_table, means, removed_table
from callbacks.reporting.without_truth.intervals import Gain
from callbacks.reporting.without_truth.residuals import Residuals


def row(scene: str, change: float, true: float | None = None, test_set: str = "observed") -> GainRow:
    gain = Gain(change, change - 1.0, change + 1.0, torch.full((1000,), change, dtype=torch.float64), -1e-4, 30.0, 0.7)
    return GainRow(test_set, scene, gain, true, (Residuals(0.01, 0.2, -0.3), Residuals(0.02, 0.1, 0.3)))


def printed(table: Table) -> str:
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(table, markup=False, highlight=False)
    return capture.get()


def test_the_truth_has_a_column_where_it_is_known_alone() -> None:
    with_truth, without = as_markdown([row("a", 1.0, 1.5)]), as_markdown([row("a", 1.0)])
    assert "| observed | a | 30.0 ± 0.7 | 31.0 | +1.00 | +0.00 to +2.00 | -1.0e-04 | +1.50 |" in with_truth
    assert "| observed | a | 30.0 ± 0.7 | 31.0 | +1.00 | +0.00 to +2.00 | -1.0e-04 |\n" in without
    assert "true" not in without + printed(as_table([row("a", 1.0)]))
    assert " true" in printed(as_table([row("a", 1.0, 1.5)]))
    assert as_csv([row("a", 1.0)]).splitlines()[1] == "observed,a,30.0,31.0,0.7,1.0,0.0,2.0,-0.0001,"


def test_scenes_are_printed_before_their_mean_where_they_are_few() -> None:
    few = printed(as_table([row("a[0].npy", 1.0), row("b.npy", 3.0), row("c.npy", 2.0, test_set="unobserved")]))
    lines = [line.split(" 3")[0].strip() for line in few.splitlines()[4:]]
    assert lines == ["observed:", "a[0].npy", "b.npy", "mean of 2", "unobserved:", "c.npy", ""]
    many = printed(as_table([row(f"{number}.npy", 1.0) for number in range(13)]))
    assert "mean of 13" in many
    assert ".npy" not in many


def test_long_names_are_folded_and_not_cut() -> None:
    text = printed(as_table([row(f"flight_2026_11_28_line_{number}.img", 1.0, 1.0) for number in range(2)]))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_was_removed_is_the_mean_over_scenes() -> None:
    text = printed(removed_table([row("a", 1.0), row("b", 1.0)]))
    assert "source-only" in text
    assert "+0.200" in text
    assert "correlation of neighbours" in " ".join(text.split())


def test_a_set_without_truth_in_one_scene_has_no_true_mean() -> None:
    (mean,) = means([row("a", 1.0, 2.0), row("b", 3.0)])
    assert mean.true is None
    assert mean.gain.change == pytest.approx(2.0)
