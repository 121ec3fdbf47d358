"""Times, differences, and products that keep their digits."""

from __future__ import annotations

import time

import pytest
import torch

from experiments.commands.gpu_check.measuring import exact_products, relative, seconds, spent

CPU = torch.device("cpu")


def test_a_cpu_is_timed_by_the_wall() -> None:
    """Seconds of the processor would count each of its threads, and a card would look as many times as fast."""
    assert seconds(lambda: time.sleep(0.02), CPU, rounds=1) >= 0.02
    with spent(CPU) as found:
        time.sleep(0.02)
    assert found.seconds >= 0.02


def test_the_difference_is_to_the_largest_value() -> None:
    expected = torch.tensor([1.0, -4.0])
    assert relative(torch.tensor([1.0, -3.0]), expected) == pytest.approx(0.25)
    assert relative(torch.tensor([0.5]), torch.zeros(1)) == 0.5


def test_no_digits_are_dropped() -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        exact_products()
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
