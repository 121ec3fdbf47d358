from __future__ import annotations

import numpy as np
import pytest

from datamodules.estimation.lost_pixels import dead_columns, measured_spike, missing_bands, spike_values, without_spikes


def noisy(side: int = 120, level: float = 0.5, sigma: float = 0.1) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return (level + sigma * np.random.default_rng(0).standard_normal((side, side))).astype(np.float32)


def test_constant_bands_and_columns_are_found_and_a_border_without_data_is_not_dead() -> None:
    cube = np.stack([noisy(), noisy() + 0.1, noisy()])
    cube[1] = 0.0
    cube[0, :, 7] = 0.0
    cube[:, :, 0] = 0.0
    assert missing_bands(cube).tolist() == [False, True, False]
    assert np.flatnonzero(dead_columns(cube)[0]).tolist() == [7]
    assert not dead_columns(cube)[2].any()


def test_the_share_of_impulses_is_counted_and_clipping_is_not() -> None:
    stream, band = np.random.default_rng(1), noisy(level=0.5, sigma=0.1)
    band[:, :40] -= 0.45  # a dark part, where clipping puts half the pixels at 0
    band = band.clip(0.0, 1.0)
    level = stream.random(band.shape)
    band[level < 0.1], band[(level >= 0.1) & (level < 0.16)] = 0.0, 1.0
    assert sorted(spike_values(band)) == [0.0, 1.0]
    valid, columns = without_spikes(band, [0.0, 1.0]), np.ones(band.shape[1], dtype=bool)
    low, high = (measured_spike(band, value, valid, columns, 0.1) for value in (0.0, 1.0))
    assert low.share == pytest.approx(0.1, rel=0.2)
    assert high.share == pytest.approx(0.06, rel=0.2)
    assert not low.clustered
    assert not high.clustered


def test_a_black_background_is_part_of_the_scene() -> None:
    band = noisy()
    band[20:60, 20:60] = 0.0
    spike = measured_spike(band, 0.0, without_spikes(band, [0.0]), np.ones(120, dtype=bool), 0.1)
    assert spike.clustered


def test_rounded_values_are_no_impulses() -> None:
    assert spike_values(np.round(noisy() * 255)) == []


def test_impulses_that_a_stripe_shifted_are_not_used() -> None:
    stream, band = np.random.default_rng(2), noisy()
    band[stream.random(band.shape) < 0.4] = 1.0
    band[:, 30] -= 0.2
    valid = without_spikes(band, [1.0])
    assert not valid[np.abs(band - 0.8) < 1e-6].any()
    assert valid[band < 0.7].all()
