"""DDIM sampling (Song et al., 2021, Eq. 12) as HSIGene's scripts do it, deterministic (eta 0)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from hyperalign.errors import InputError

__all__ = ["alpha_bars", "ddim_step", "ddim_timesteps", "sample_latent"]

TIMESTEPS = 1000


def alpha_bars(first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Return the cumulative products of 1 - beta, with square roots of beta equally spaced from `first` to `last`.

    Returns:
        1000 values, float64, falling.
    """
    betas = torch.linspace(math.sqrt(first), math.sqrt(last), TIMESTEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, dim=0)


def ddim_timesteps(steps: int) -> list[int]:
    """Return the timesteps of the network's evaluations, rising: 1, 21, ..., 981 for 50 steps.

    Where `steps` does not divide 1000, the published rule gives a few more than asked for.

    Raises:
        ValueError: unless `steps` is 1 to 500.
    """
    if not 1 <= steps <= TIMESTEPS // 2:
        raise InputError(f"HSIGene's argument steps is {steps}: choose 1 to {TIMESTEPS // 2}; published are 50.")
    return [timestep + 1 for timestep in range(0, TIMESTEPS, TIMESTEPS // steps)]


def ddim_step(sample: Tensor, noise: Tensor, now: float, then: float) -> Tensor:
    """Take one deterministic step.

    Args:
        sample: x_t.
        noise: the network's estimate of its noise.
        now: alpha-bar of t.
        then: alpha-bar of the earlier timestep.

    Returns:
        The sample at the earlier timestep.
    """
    clean = (sample - math.sqrt(1.0 - now) * noise) / math.sqrt(now)
    return math.sqrt(then) * clean + math.sqrt(1.0 - then) * noise


def sample_latent(predict_noise: Callable[[Tensor, int], Tensor], start: Tensor, steps: int) -> Tensor:
    """Denoise pure noise.

    The published sampler ends at alpha-bar of timestep 0, which is 0.9999 and not 1; so does this one.

    Args:
        predict_noise: the noise in (sample, timestep).
        start: standard normal noise.
        steps: see `ddim_timesteps`.

    Returns:
        The denoised latent, of the shape of `start`.
    """
    levels = alpha_bars().tolist()
    sample = start
    for timestep, before in pairwise([*reversed(ddim_timesteps(steps)), 0]):
        sample = ddim_step(sample, predict_noise(sample, timestep), levels[timestep], levels[before])
    return sample
