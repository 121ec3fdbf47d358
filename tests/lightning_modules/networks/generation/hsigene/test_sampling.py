"""Schedule, timesteps and steps of DDIM number by number and against diffusers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.generation.hsigene.sampling import (
    alpha_bars,
    ddim_step,
    ddim_timesteps,
    sample_latent,
)
from tests.lightning_modules.networks.generation.hsigene.drawn import draw


def test_the_schedule_is_the_published_one() -> None:
    product, expected = 1.0, []
    for index in range(1000):
        root = math.sqrt(1e-4) + (math.sqrt(0.02) - math.sqrt(1e-4)) * index / 999
        product *= 1.0 - root * root
        expected.append(product)
    torch.testing.assert_close(alpha_bars(), torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=0)
    assert ddim_timesteps(50) == list(range(1, 1000, 20))
    assert ddim_timesteps(50)[-1] == 981
    assert len(ddim_timesteps(30)) == 31
    for steps in (0, 501):
        with pytest.raises(ValueError, match=f"steps is {steps}: choose 1 to 500"):
            ddim_timesteps(steps)


def test_a_ddim_step_is_the_slow_form_number_by_number() -> None:
    sample, noise, now, then = draw(1, 1, 2, 3), draw(1, 1, 2, 3, seed=2), 0.3, 0.7
    stepped = ddim_step(sample, noise, now, then).flatten().tolist()
    for found, x, e in zip(stepped, sample.flatten().tolist(), noise.flatten().tolist(), strict=True):
        slope = math.sqrt(1 - then) - math.sqrt(then) * math.sqrt(1 / now - 1)
        assert found == pytest.approx(math.sqrt(then / now) * x + slope * e, rel=1e-5, abs=1e-6)


def test_sampling_is_ddim_of_diffusers_which_ends_at_timestep_zero() -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    scheduler.set_timesteps(50)

    def predict(sample: Tensor, timestep: int) -> Tensor:
        return torch.tanh(sample + timestep / 1000)

    start = draw(1, 4, 3, 3)
    expected = start
    for timestep in scheduler.timesteps:
        expected = scheduler.step(predict(expected, int(timestep)), timestep, expected).prev_sample
    torch.testing.assert_close(sample_latent(predict, start, 50), expected, rtol=1e-4, atol=1e-5)
