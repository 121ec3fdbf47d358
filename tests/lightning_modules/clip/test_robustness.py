"""Cosines by blur level worked out by hand, and their table."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.clip.robustness import BlurRobustness, as_markdown, as_table


def test_a_collapse_shows_and_a_single_image_has_no_pairs() -> None:
    before = torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(0))
    metric = BlurRobustness((2.0,), 8)
    metric.update(before, torch.ones(2, 50, 8))
    scores = metric.compute()
    assert float(scores["pairwise_clean/after"]) == pytest.approx(1.0)
    assert abs(float(scores["pairwise_clean/before"])) < 0.1
    assert abs(float(scores["cosine_clean"])) < 0.2
    metric.reset()
    metric.update(before[:, :1], before[:, :1])
    assert not [name for name in metric.compute() if name.startswith("pairwise")]


def test_scores_are_cosines_worked_out_by_hand() -> None:
    metric = BlurRobustness((1.5,), 2)
    east, north, west = [1.0, 0.0], [0.0, 3.0], [-2.0, 0.0]
    before = torch.tensor([[east, north], [east, east]])
    after = torch.tensor([[east, east], [west, north]])
    metric.update(before[:, :1], after[:, :1])
    metric.update(before[:, 1:], after[:, 1:])
    scores = {name: float(score) for name, score in metric.compute().items()}
    assert scores == pytest.approx(
        {
            "cosine_clean": 0.5,  # 1 and 0
            "cosine": 0.0,  # -1 and 1
            "cosine_sigma_1.5/before": 0.5,
            "cosine_sigma_1.5/after": 0.0,
            "pairwise_clean/before": 0.0,
            "pairwise_clean/after": 1.0,
            "pairwise_sigma_1.5/before": 1.0,
            "pairwise_sigma_1.5/after": 0.0,
        },
        abs=1e-6,
    )


def test_tables_have_a_row_a_level_and_leave_empty_what_a_single_image_has_not() -> None:
    scores = {"cosine_clean": 0.98765, "cosine_sigma_2/before": 0.5, "cosine_sigma_2/after": 0.75}
    scores |= {"pairwise_clean/before": 0.25, "pairwise_clean/after": -0.125}
    lines = as_markdown((2.0,), scores, "12 photographs").splitlines()
    assert lines[0] == "12 photographs"
    assert lines[2].count("|") == lines[3].count("|") == 6
    assert lines[4] == "| 0 | 1.0000 | 0.9877 | 0.2500 | -0.1250 |"
    assert lines[5] == "| 2 | 0.5000 | 0.7500 |  |  |"
    table = as_table((2.0,), scores, "12 photographs")
    assert (table.row_count, len(table.columns), table.caption) == (2, 5, "12 photographs")
    assert list(table.columns[2].cells) == ["0.9877", "0.7500"]
