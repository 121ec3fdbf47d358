"""Warm-up and cosine take the values of the published schedule."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.schedules import LinearWarmupCosine, LinearWarmupPolynomial


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
