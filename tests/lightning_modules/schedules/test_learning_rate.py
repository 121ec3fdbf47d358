"""Warm-up and cosine take the values of the published schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from lightning_modules.schedules.learning_rate import LinearWarmupCosine, LinearWarmupPolynomial, OneCycle, length_from


def rates(warmup: int, total: int, steps: int, final_factor: float = 0.0) -> list[float]:
    """Learning rates of the first steps with peak 0.2."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    schedule = LinearWarmupCosine(optimizer, warmup=warmup, total=total, final_factor=final_factor)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_linear_from_zero_then_half_a_cosine_to_the_end() -> None:
    seen = rates(warmup=5, total=13, steps=16)
    assert seen[:6] == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2, 0.2])
    assert seen[7] == pytest.approx(0.1 * (1 + math.cos(math.pi / 4)))
    assert seen[9] == pytest.approx(0.1)
    assert seen[13:] == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


def test_final_factor_is_where_the_cosine_ends() -> None:
    assert rates(warmup=0, total=4, steps=6, final_factor=0.25)[::4] == pytest.approx([0.2, 0.05])


def test_a_warm_up_as_long_as_the_whole_gives_a_sentence() -> None:
    with pytest.raises(ValueError, match="warmup 4 is not between 0 and total 4; choose a shorter warm-up"):
        rates(warmup=4, total=4, steps=1)


def one_parameter(
    kind: Callable[..., torch.optim.Optimizer] = torch.optim.Adam, lr: float = 1e-2
) -> torch.optim.Optimizer:
    return kind([torch.nn.Parameter(torch.zeros(1))], lr=lr)


@pytest.mark.parametrize("total", [1, 2, 3, 10, 20, 256])
@pytest.mark.parametrize("rising", [0.0, 0.05, 0.1, 0.3, 1.0])
def test_one_cycle_equals_torchs_for_every_length_and_divides_by_nothing(total: int, rising: float) -> None:
    mine = one_parameter()
    schedule = OneCycle(mine, 1e-2, total, pct_start=rising)
    rates = []
    for _ in range(total):
        rates.append((mine.param_groups[0]["lr"], mine.param_groups[0]["betas"][0]))
        mine.step()
        schedule.step()
    assert all(math.isfinite(rate) for rate, _ in rates)
    if math.isclose(rising * total, 1.0) or rising == 1.0:
        # where torch divides by zero
        return
    theirs = one_parameter()
    other = torch.optim.lr_scheduler.OneCycleLR(theirs, 1e-2, total_steps=total, pct_start=rising)
    for rate, beta in rates:
        assert (rate, beta) == (theirs.param_groups[0]["lr"], theirs.param_groups[0]["betas"][0])
        theirs.step()
        other.step()


def test_one_cycle_takes_the_optimisers_rate_and_those_without_momentum() -> None:
    optimizer = one_parameter(torch.optim.Adagrad, lr=0.5)
    OneCycle(optimizer, total_steps=8)
    assert optimizer.param_groups[0]["max_lr"] == 0.5
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02)


def test_schedules_take_their_length_from_where_they_are_built() -> None:
    for build in (lambda: OneCycle(one_parameter()), lambda: LinearWarmupCosine(one_parameter(), 0.1)):
        with pytest.raises(ValueError, match="has no length: give total"):
            build()
    with length_from(lambda: 50):
        assert OneCycle(one_parameter()).total_steps == 50
        schedule = LinearWarmupCosine(one_parameter(), 0.1, stretch=2.0)
        assert schedule.lr_lambdas[0](9) == 1.0
        assert schedule.lr_lambdas[0](100) == pytest.approx(0.0)
        assert schedule.lr_lambdas[0](55) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="total_steps is 0; give at least 1, or null"):
        OneCycle(one_parameter(), total_steps=0)


def test_linear_from_a_tenth_then_a_power_down_to_zero() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    schedule = LinearWarmupPolynomial(optimizer, warmup=3, total=11)
    seen = []
    for _ in range(13):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert seen[:4] == pytest.approx([0.02, 0.08, 0.14, 0.2])
    assert seen[7] == pytest.approx(0.2 * 0.5**1.5)
    assert seen[11:] == [0.0, 0.0]
    with pytest.raises(ValueError, match="LinearWarmupPolynomial: warmup 4 is not between 0 and total 4"):
        LinearWarmupPolynomial(optimizer, warmup=4, total=4)


@pytest.mark.parametrize(("total", "peak"), [(2, 1e-2 * 2 / 64), (32, 5e-3), (64, 1e-2), (200, 1e-2)])
def test_a_training_too_short_to_average_has_a_lower_peak_and_says_so(
    total: int, peak: float, caplog: pytest.LogCaptureFixture
) -> None:
    optimizer = one_parameter()
    schedule = OneCycle(optimizer, 1e-2, total, full_from=64)
    assert schedule.total_steps == total
    assert [group["max_lr"] for group in optimizer.param_groups] == [pytest.approx(peak)]
    assert ("disturb a network more than they teach it" in caplog.text) == (total < 64)
