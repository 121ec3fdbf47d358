"""Losses of super-resolution networks against their formulas, written out."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules import L1VariationLoss, SquaredErrorAngleLoss


def test_squared_error_and_angle_of_known_spectra() -> None:
    target = torch.zeros(2, 2, 1, 2)
    target[:, 0] = 1.0
    restored = target.clone()
    restored[0, :, 0, 0] = torch.tensor([1.0, 1.0])
    restored[1, :, 0, 1] = torch.tensor([0.0, 3.0])
    loss = SquaredErrorAngleLoss(0.1)(restored, target)
    angles = (math.pi / 4 + math.pi / 2) / 4
    assert float(loss) == pytest.approx((1 + 1 + 9) / (2 * 2) + 0.1 * angles, rel=1e-6)
    assert float(SquaredErrorAngleLoss(0.0)(restored, target)) == pytest.approx(11 / 4, rel=1e-6)


def test_equal_and_empty_spectra_have_no_angle_and_finite_gradients() -> None:
    target = torch.rand(1, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    target[..., 0] = 0
    for scale in (0.0, 1.0, 2.0):
        restored = (scale * target).requires_grad_()
        SquaredErrorAngleLoss()(restored, target).backward()
        assert restored.grad is not None
        assert bool(torch.isfinite(restored.grad).all())
    assert float(SquaredErrorAngleLoss(1.0)(target, target)) == pytest.approx(0, abs=1e-3)


def test_absolute_error_and_variation_in_loops() -> None:
    generator = torch.Generator().manual_seed(1)
    restored, target = torch.rand(2, 3, 4, 5, generator=generator), torch.rand(2, 3, 4, 5, generator=generator)
    rows = sum(float((restored[:, :, i + 1] - restored[:, :, i]).square().sum()) for i in range(3)) / (2 * 3 * 3 * 5)
    columns = sum(float((restored[..., i + 1] - restored[..., i]).square().sum()) for i in range(4)) / (2 * 3 * 4 * 4)
    bands = sum(float((restored[:, i + 1] - restored[:, i]).square().sum()) for i in range(2)) / (2 * 2 * 4 * 5)
    expected = float((restored - target).abs().mean()) + 0.2 * (rows + columns) + 0.3 * 2 * bands
    assert float(L1VariationLoss(0.2, 0.3)(restored, target)) == pytest.approx(expected, rel=1e-5)
