"""Intervals of the gain over blocks and over scenes."""

from __future__ import annotations

import pytest
import torch

from callbacks.reporting.without_truth.intervals import Gain, scene_gain, set_gain
from callbacks.reporting.without_truth.residuals import Residuals
from callbacks.reporting.without_truth.risk import Compared
from datamodules.estimation import SceneNoise


def compared(difference: torch.Tensor, level: float, correction: float = 0.0) -> Compared:
    """Return two bands of undamaged pixels, 1000 a block, with these differences."""
    sums, counts = torch.zeros(4, 2, 64, dtype=torch.float64), torch.zeros(4, 2, 64, dtype=torch.float64)
    sums[0], counts[0] = 1000.0 * difference, 1000.0
    shares = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    nothing = Residuals(0.0, 0.0, 0.0)
    stein = torch.tensor([correction, correction])
    return Compared(
        SceneNoise("one", ()), sums, counts, shares, torch.tensor([level, level]), stein, (nothing, nothing)
    )


def test_a_scene_whose_error_is_halved_gains_three_decibels() -> None:
    # Errors of 2e-3 and 1e-3: the level is the mean of both.
    gain = scene_gain(compared(torch.full((2, 64), 1e-3, dtype=torch.float64), 1.5e-3))
    assert gain.change == pytest.approx(3.0103, abs=1e-4)
    assert gain.squared == pytest.approx(-1e-3)
    assert gain.first == pytest.approx(26.9897, abs=1e-4)
    assert gain.second == pytest.approx(30.0, abs=1e-4)
    # Only the error level is uncertain here: of two bands by exp(+-1.96 sqrt(0.25^2 + 0.4^2 / 2)), about.
    assert gain.low == pytest.approx(1.32, abs=0.2)
    assert gain.high == pytest.approx(8.6, abs=0.6)
    assert 1.5 < gain.doubt < 2.5


def test_noise_that_is_measured_wrong_widens_the_interval_by_as_much_as_stein_corrects() -> None:
    flat = torch.full((2, 64), 1e-5, dtype=torch.float64)
    sure, doubted = scene_gain(compared(flat, 1e-3)), scene_gain(compared(flat, 1e-3, correction=2e-4))
    assert 0 < sure.low < sure.high < 0.15
    # A tenth of 2e-4 over 1e-3 is 0.087 dB a band and deviation, 0.061 of the mean of two.
    assert sure.low - doubted.low == pytest.approx(0.13, abs=0.06)
    assert doubted.high - sure.high == pytest.approx(0.14, abs=0.06)
    assert doubted.change == sure.change


def test_differing_blocks_widen_the_interval() -> None:
    spread = torch.randn(2, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gain = scene_gain(compared(1e-3 * (0.1 + spread), 1e-3))
    assert gain.low < 0 < gain.high


def test_scenes_that_differ_no_more_than_is_doubted_of_each_are_as_doubtful_together() -> None:
    def of(change: float, seed: int) -> Gain:
        draws = change + 0.5 * torch.randn(1000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return Gain(change, change - 1.0, change + 1.0, draws, -change, 30.0 + change, 1.0)

    both = set_gain([of(0.9, 1), of(1.1, 2)])
    # 1.96 x 0.5 to either side, not the 12.7 standard errors of two values of which nothing else is known.
    assert both.low == pytest.approx(1.0 - 0.98, abs=0.1)
    assert both.high == pytest.approx(1.0 + 0.98, abs=0.1)
    assert (both.first, both.second, both.doubt) == pytest.approx((31.0, 32.0, 1.0))


def test_few_scenes_are_less_sure_than_many() -> None:
    def of(change: float) -> Gain:
        return Gain(change, change, change, torch.full((1000,), change, dtype=torch.float64), -change, 30.0, change)

    few, many = set_gain([of(0.5), of(1.5), of(1.0)]), set_gain([of(one) for one in (0.5, 1.5, 1.0) * 10])
    assert few.change == pytest.approx(1.0)
    assert few.low < 0 < 1.9 < few.high
    assert 0.8 < many.low < 1.0 < many.high < 1.2
    alone = of(0.5)
    assert set_gain([alone]) is alone
