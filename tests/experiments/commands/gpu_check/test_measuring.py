"""Times, differences, and products that keep their digits."""

from __future__ import annotations

import time

import pytest
import torch

from experiments.commands.gpu_check.measuring import exact_products, relative, seconds, spent

CPU = torch.device("cpu")


def test_seconds_are_those_of_the_fastest_run() -> None:
    pauses = iter([0.05, 0.01, 0.05])
    assert 0.01 <= seconds(lambda: time.sleep(next(pauses)), CPU) < 0.04


def test_a_block_is_timed() -> None:
    with spent(CPU) as found:
        time.sleep(0.02)
    assert found.seconds >= 0.02
    assert found.gibibytes is None


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
