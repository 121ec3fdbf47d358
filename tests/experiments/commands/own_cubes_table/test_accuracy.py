"""What is measured beside what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datamodules import BandMissing, ComplexMixture, NonIIDGaussian
from experiments.commands.own_cubes_table.accuracy import SHARES, accuracy, as_markdown, truth
from tests.datamodules.estimation.scenes import clean_scene


def test_the_truth_is_what_was_drawn() -> None:
    drawn = ComplexMixture().draw((12, 40, 60), torch.Generator().manual_seed(0))
    sigmas, stripes, dead, hit = truth(drawn, 12)
    assert set(np.round(sigmas * 255).astype(int)) <= {10, 30, 50, 70}
    assert [int((shares > 0).sum()) for shares in (stripes, dead, hit)] == [4, 4, 4]
    assert stripes.max() <= 0.15
    assert set(np.round(hit[hit > 0], 1)) <= {0.1, 0.3, 0.5, 0.7}
    plain = truth(NonIIDGaussian((50.0,)).draw((3, 8, 8), torch.Generator().manual_seed(0)), 3)
    assert plain[0].tolist() == pytest.approx([50 / 255] * 3)


def test_noise_is_measured_within_what_is_asked_and_told_in_a_line() -> None:
    cubes = {"one": clean_scene(12, 128, 0)}
    (gaussian,) = accuracy(cubes, NonIIDGaussian(), "gaussian", 0)
    (mixed,) = accuracy(cubes, ComplexMixture(), "complex", 0)
    assert (gaussian.family, mixed.family) == ("gaussian", "complex")
    for row in (gaussian, mixed):
        assert np.median(row.sigmas) < 0.05
        assert row.sigmas.max() < 0.15
    assert all(np.isnan(gaussian.shares))
    for name, share in zip(SHARES, mixed.shares, strict=True):
        assert share == pytest.approx(1.0, abs=0.2), name
    lines = as_markdown([gaussian, mixed]).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| gaussian | one | gaussian | ")
    assert lines[2].endswith("% |  |  |  |")


def test_what_is_no_noise_is_recognised_alone() -> None:
    (row,) = accuracy({"one": clean_scene(12, 128, 0)}, BandMissing(), "band_missing", 0)
    assert row.family == "band_missing"
    assert np.isnan(row.sigmas).all()
    assert as_markdown([row]).splitlines()[2] == "| band_missing | one | band_missing |  |  |  |  |  |"
