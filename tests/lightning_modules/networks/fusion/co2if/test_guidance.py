"""Weighing what a block has mixed."""

from __future__ import annotations

import torch

from lightning_modules.networks.fusion.co2if.guidance import Guidance


def test_weights_multiply_and_nothing_leaves_alone() -> None:
    mixed = torch.tensor([[[[2.0, -3.0]], [[4.0, 0.5]]]])
    assert Guidance().weigh(mixed) is mixed
    weight = torch.tensor([[[[0.5, 2.0]], [[0.0, -4.0]]]])
    assert Guidance(weight=weight).weigh(mixed).flatten().tolist() == [1.0, -6.0, 0.0, -2.0]
    assert Guidance() == (None, None, None, None)
