"""What this machine can do at most."""

from __future__ import annotations

import torch

from experiments.commands.benchmark.limits import measured_limits


def test_products_and_copies_are_as_fast_as_any_machine_of_this_century() -> None:
    limits = measured_limits(torch.device("cpu"), shrink=8)
    assert 1e8 < limits.operations < 1e14
    assert 1e8 < limits.bandwidth < 1e13
