"""RCTV on whitened bands."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers import SolverError, rctv, whitened_rctv
from lightning_modules.solvers.noise_estimate import band_noise
from tests.lightning_modules.solvers.recorded import psnr
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene


def test_it_is_rctv_of_the_weighted_bands() -> None:
    observed = noisy_scene(clean_scene(8, 24, 24))
    weight = band_noise(observed).clamp(min=0.1)
    mean = weight.mean()
    wanted = rctv(observed / weight[..., None, None] * mean, rank=3).restored * weight[..., None, None] / mean
    assert torch.allclose(whitened_rctv(observed, rank=3, floor=0.1).restored, wanted, atol=1e-12)


def test_it_beats_plain_rctv_where_bands_differ() -> None:
    clean = clean_scene(16, 32, 32)
    observed = noisy_scene(clean, least=0.01, most=0.3)
    plain, whitened = (psnr(solve(observed, rank=4).restored, clean) for solve in (rctv, whitened_rctv))
    assert whitened > plain + 1


def test_a_batch_gives_what_its_scenes_give() -> None:
    scenes = [noisy_scene(clean_scene(8, 20, 18, seed), seed, 0.02 * (seed + 1)) for seed in range(3)]
    batch = whitened_rctv(torch.cat(scenes), rank=3).restored
    for index, scene in enumerate(scenes):
        assert torch.allclose(batch[index], whitened_rctv(scene, rank=3).restored[0], atol=1e-9)


def test_equal_noise_makes_it_plain() -> None:
    observed = noisy_scene(clean_scene(8, 20, 20))
    noise = torch.full((1, 8), 0.1, dtype=torch.float64)
    assert torch.allclose(
        whitened_rctv(observed, rank=3, noise=noise).restored, rctv(observed, rank=3).restored, atol=1e-9
    )


def test_floor_and_noise_are_checked() -> None:
    observed = noisy_scene(clean_scene(6, 16, 16))
    with pytest.raises(SolverError, match="needs a floor above zero, not 0"):
        whitened_rctv(observed, floor=0)
    with pytest.raises(SolverError, match=r"for each of 1 x 6 bands, but got \(6,\)"):
        whitened_rctv(observed, noise=torch.ones(6))
