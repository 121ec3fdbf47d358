"""What was removed: noise alone, or some of the scene."""

from __future__ import annotations

import pytest
import torch

from callbacks.reporting.without_truth.residuals import residuals
from datamodules.estimation import BandNoise, SceneNoise
from tests.datamodules.estimation.scenes import clean_scene

NOISE = SceneNoise("one", (BandNoise(variance=0.01),) * 6)


def test_noise_alone_is_white_and_unlike_the_scene() -> None:
    clean = clean_scene(6, 64)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    found = residuals(noisy, clean, torch.ones(clean.shape, dtype=torch.bool), NOISE)
    assert abs(found.mean) < 0.03
    assert abs(found.whiteness) < 0.03
    assert abs(found.correlation) < 0.03


def test_a_removed_scene_and_a_bias_are_seen_where_pixels_are_undamaged() -> None:
    clean = clean_scene(6, 64)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    undamaged = torch.ones(clean.shape, dtype=torch.bool)
    noisy[:, :, 10], undamaged[:, :, 10] = 100.0, False
    found = residuals(noisy, 0.5 * clean - 0.05, undamaged, NOISE)
    assert found.mean == pytest.approx(float((0.5 * clean + 0.05).mean()) / 0.1, rel=0.05)
    assert found.whiteness > 0.2
    assert found.correlation > 0.4
