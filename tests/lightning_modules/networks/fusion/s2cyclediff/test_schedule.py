"""The noise schedule number by number, and both samplers against a perfect prediction and diffusers' own."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.networks.fusion.s2cyclediff.schedule import NoiseSchedule


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_levels_weights_and_variances_are_those_of_the_posterior() -> None:
    schedule = NoiseSchedule(4, 0.1, 0.4)
    kept = 1.0
    for step, beta in enumerate((0.1, 0.2, 0.3, 0.4)):
        before, kept = kept, kept * (1 - beta)
        assert float(schedule.levels[step]) == pytest.approx(math.sqrt(kept), rel=1e-6)
        assert float(schedule.previous[step]) == pytest.approx(math.sqrt(before), rel=1e-6)
        assert float(schedule.weight_x0[step]) == pytest.approx(math.sqrt(before) * beta / (1 - kept), rel=1e-6)
        expected = math.sqrt(1 - beta) * (1 - before) / (1 - kept)
        assert float(schedule.weight_xt[step]) == pytest.approx(expected, abs=1e-7)
        variance = max(beta * (1 - before) / (1 - kept), 1e-20)
        assert float(schedule.log_variance[step]) == pytest.approx(math.log(variance), rel=1e-5)
    assert schedule.state_dict() == {}
    assert len(NoiseSchedule().levels) == 2000


def test_noising_keeps_the_variance_of_each_image_at_its_own_step() -> None:
    schedule, clean, noise = NoiseSchedule(10, 0.05, 0.2), drawn(2, 3, 2, 2), drawn(2, 3, 2, 2, seed=1)
    noisy, levels = schedule.noised(clean, torch.tensor([0, 9]), noise)
    assert torch.equal(levels, schedule.levels[[0, 9]])
    for index in range(2):
        level = float(levels[index])
        expected = level * clean[index] + math.sqrt(1 - level**2) * noise[index]
        torch.testing.assert_close(noisy[index], expected)


def test_the_first_step_gives_the_clamped_prediction() -> None:
    schedule, predicted, noisy = NoiseSchedule(5), 3 * drawn(1, 2, 2, 2), drawn(1, 2, 2, 2, seed=1)
    torch.testing.assert_close(schedule.ancestral(predicted, noisy, noisy, 0), predicted.clamp(-1, 1))
    assert torch.equal(schedule.implicit(predicted, noisy, 3, None), predicted.clamp(-1, 1))
    mean, spread = schedule.mean(predicted, noisy, 3), math.exp(float(schedule.log_variance[3]) / 2)
    torch.testing.assert_close(schedule.ancestral(predicted, noisy, 2 * torch.ones(1), 3), mean + 2 * spread)


def test_a_step_without_noise_keeps_the_noise_and_changes_its_share() -> None:
    schedule, clean, noise = NoiseSchedule(50, 1e-3, 0.1), drawn(1, 2, 3, 3), drawn(1, 2, 3, 3, seed=1)
    noisy, _ = schedule.noised(clean, torch.tensor([40]), noise)
    expected, _ = schedule.noised(clean, torch.tensor([7]), noise)
    torch.testing.assert_close(schedule.implicit(clean, noisy, 40, 7), expected, rtol=1e-4, atol=1e-5)
    direct = schedule.implicit(clean, schedule.implicit(clean, noisy, 40, 20), 20, 7)
    torch.testing.assert_close(direct, expected, rtol=1e-4, atol=1e-5)


def test_steps_of_a_short_sampling_are_evenly_spread() -> None:
    schedule = NoiseSchedule(100)
    assert schedule.subset(4) == [99, 66, 33, 0]
    assert schedule.subset(100) == list(range(99, -1, -1))
    assert NoiseSchedule(2000).subset(2) == [1999, 0]
