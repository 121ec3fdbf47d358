"""Losses against hand-computed values."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.losses import ClampedL1Loss


def test_clamped_l1_ignores_what_leaves_the_range() -> None:
    restored = torch.tensor([-0.5, 1.5, 0.25, 1.25], requires_grad=True)
    loss = ClampedL1Loss()(restored, torch.tensor([0.0, 1.0, 0.5, 0.5]))
    assert loss.item() == pytest.approx((0 + 0 + 0.25 + 0.5) / 4)
    loss.backward()
    assert restored.grad is not None
    assert restored.grad.tolist() == [0.0, 0.0, -0.25, 0.0]
