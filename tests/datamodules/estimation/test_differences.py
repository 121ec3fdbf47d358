from __future__ import annotations

import numpy as np
import pytest

from datamodules.estimation.differences import (
    block_mean,
    block_valid,
    diagonal,
    every_diagonal,
    robust_sigma,
    second_differences,
    spread,
)


def test_planes_and_stripes_of_both_directions_cancel() -> None:
    rows, columns = np.mgrid[0:12, 0:10].astype(np.float32)
    offsets = np.random.default_rng(0).standard_normal(10).astype(np.float32)
    assert np.abs(diagonal(3 * rows + 2 * columns + offsets)).max() < 1e-5
    assert np.abs(diagonal((3 * rows + 2 * columns).T + offsets[:, None])).max() < 1e-5


def test_white_noise_keeps_its_standard_deviation() -> None:
    noise = np.random.default_rng(1).standard_normal((256, 256)).astype(np.float32)
    valid = np.ones(noise.shape, dtype=bool)
    assert diagonal(noise).std() == pytest.approx(1.0, abs=0.01)
    assert second_differences(noise, valid).std() == pytest.approx(1.0, abs=0.01)
    assert spread(noise.ravel()) == pytest.approx(1.0, abs=0.01)
    assert robust_sigma(0.3 * noise, valid) == pytest.approx(0.3, rel=0.02)


def test_windows_that_overlap_are_counted_where_all_four_pixels_are_valid() -> None:
    rng = np.random.default_rng(2)
    band, valid = rng.standard_normal((9, 8)).astype(np.float32), rng.random((9, 8)) < 0.8
    wanted = [
        (band[i, j] - band[i, j + 1] - band[i + 1, j] + band[i + 1, j + 1]) / 2
        for i in range(8)
        for j in range(7)
        if valid[i : i + 2, j : j + 2].all()
    ]
    assert every_diagonal(band, valid) == pytest.approx(np.array(wanted), abs=1e-6)


def test_windows_that_overlap_know_a_spread_as_twice_as_many_blocks_would() -> None:
    rng, found = np.random.default_rng(3), []
    valid = np.ones((32, 32), dtype=bool)
    for _ in range(300):
        noise = rng.standard_normal((32, 32)).astype(np.float32)
        found.append((spread(diagonal(noise).ravel()), spread(every_diagonal(noise, valid))))
    apart, overlapping = np.std(found, axis=0)
    assert 2.0 < (apart / overlapping) ** 2 < 3.0


def test_few_valid_pixels_are_enough() -> None:
    stream = np.random.default_rng(2)
    noise = stream.standard_normal((200, 200)).astype(np.float32)
    valid = stream.random(noise.shape) < 0.3
    noise[~valid] = 1e3
    assert block_valid(valid).sum() < 400
    assert robust_sigma(noise, valid) == pytest.approx(1.0, rel=0.05)


def test_an_odd_last_row_and_column_are_left_out() -> None:
    band = np.arange(15, dtype=np.float32).reshape(3, 5)
    np.testing.assert_allclose(block_mean(band), [[3.0, 5.0]])
    assert diagonal(band).shape == (1, 2)


def test_nothing_has_no_spread() -> None:
    assert spread(np.empty(0, dtype=np.float32)) == 0.0
