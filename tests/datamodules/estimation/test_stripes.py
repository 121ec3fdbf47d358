from __future__ import annotations

import numpy as np
import pytest

from datamodules.estimation.stripes import stripe_levels
from tests.datamodules.estimation.scenes import clean_scene

SIGMA = 0.05


def noisy(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    clean = clean_scene(12, 200).numpy()
    noise: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = np.float32(SIGMA) * np.random.default_rng(
        seed
    ).standard_normal(clean.shape).astype(np.float32)
    return clean + noise


def test_share_and_amplitude_of_stripes_and_none_elsewhere() -> None:
    cube, stream = noisy(), np.random.default_rng(3)
    columns = stream.permutation(200)[:24]
    cube[4][:, columns] -= stream.uniform(-0.25, 0.25, 24).astype(np.float32)
    levels = stripe_levels(cube, np.ones(cube.shape, dtype=bool), [SIGMA] * 12)
    assert levels[4].share == pytest.approx(0.12, rel=0.2)
    assert levels[4].amplitude == pytest.approx(0.25, rel=0.15)
    assert max(level.share for number, level in enumerate(levels) if number != 4) == 0.0


def test_an_upright_line_of_the_scene_is_no_stripe() -> None:
    cube = noisy()
    cube[:, :, 50] += 0.2
    cube[:, :, 120] += 0.15
    levels = stripe_levels(cube, np.ones(cube.shape, dtype=bool), [SIGMA] * 12)
    assert max(level.share for level in levels) == 0.0


def test_a_band_without_valid_pixels_has_no_stripes() -> None:
    valid = np.ones((12, 200, 200), dtype=bool)
    valid[3] = False
    assert stripe_levels(noisy(), valid, [SIGMA] * 12)[3].share == 0.0
