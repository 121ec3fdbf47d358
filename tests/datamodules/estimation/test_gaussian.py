from __future__ import annotations

import numpy as np
import pytest

from datamodules.estimation.gaussian import gaussian_levels
from tests.datamodules.estimation.scenes import clean_scene

Cube = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def levels_of(cube: Cube, missing: list[int] | None = None) -> list[tuple[float, float, float]]:
    gone = np.zeros(len(cube), dtype=bool)
    gone[missing or []] = True
    valid = np.ones(cube.shape, dtype=bool) & ~gone[:, None, None]
    return [(level.constant, level.slope, level.typical) for level in gaussian_levels(cube, valid, gone)]


def field(shape: tuple[int, ...]) -> Cube:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def test_every_band_has_its_own_sigma() -> None:
    clean, sigmas = clean_scene(12, 128).numpy(), np.linspace(10, 70, 12).astype(np.float32) / 255
    found = levels_of((clean + sigmas[:, None, None] * field(clean.shape)).astype(np.float32))
    relative = np.array([typical for _, _, typical in found]) / sigmas - 1
    assert np.median(np.abs(relative)) < 0.05
    assert np.abs(relative).max() < 0.15
    assert all(slope == 0 for _, slope, _ in found)


def test_the_part_that_grows_with_the_signal_is_found() -> None:
    ramp = np.broadcast_to(np.linspace(0.05, 0.95, 256, dtype=np.float32), (4, 256, 256))
    found = levels_of(ramp + np.sqrt(0.0004 + 0.004 * ramp) * field(ramp.shape))
    for constant, slope, _ in found:
        assert slope == pytest.approx(0.004, rel=0.15)
        assert constant == pytest.approx(0.0004, abs=0.0002)


def test_a_texture_that_no_other_band_has_hardly_counts_where_pixels_are_lost() -> None:
    clean, lost = clean_scene(6, 192).numpy(), np.random.default_rng(7).random((192, 192)) < 0.5
    # Fine lines along columns: second differences across them are as large as the noise, diagonal ones are not.
    clean[3] += np.float32(0.06) * np.sin(np.arange(192, dtype=np.float32) * 1.2)
    cube = (clean + np.float32(10 / 255) * field(clean.shape)).astype(np.float32)
    valid = np.ones(cube.shape, dtype=bool)
    valid[3] = ~lost
    level = gaussian_levels(cube, valid, np.zeros(6, dtype=bool))[3]
    assert level.typical == pytest.approx(10 / 255, rel=0.08)


def test_a_missing_band_has_no_noise() -> None:
    cube = clean_scene(6, 64).numpy() + np.float32(0.1) * field((6, 64, 64))
    cube[2] = 0.0
    assert levels_of(cube, [2])[2] == (0.0, 0.0, 0.0)
