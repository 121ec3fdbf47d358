"""SDEdit (Meng et al., 2022): start the reverse diffusion at a noised image instead of at pure noise.

HIR-ALIGN Eq. 8 gives the start; the reverse steps are DDIM's (Song et al., 2021, Eq. 12) on any decreasing
list of timesteps, so that the start t0 is met exactly whatever the number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from hyperalign.errors import InputError

if TYPE_CHECKING:
    from diffusers import DDPMScheduler

Prediction = Literal["epsilon", "v_prediction", "sample"]
NoiseSchedule = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]


@dataclass(frozen=True)
class Diffusion:
    """The forward process and what the network predicts in it.

    Args:
        timesteps: length T of the process.
        noise_schedule: how alpha-bar falls, by diffusers' names.
        prediction: what the network returns: the noise, the velocity or the clean image.
    """

    timesteps: int = 1000
    noise_schedule: NoiseSchedule = "squaredcos_cap_v2"
    prediction: Prediction = "v_prediction"

    def __post_init__(self) -> None:
        """Raise a ValueError for an unknown name."""
        for name, value, known in (
            ("noise_schedule", self.noise_schedule, get_args(NoiseSchedule)),
            ("prediction", self.prediction, get_args(Prediction)),
        ):
            if value not in known:
                raise InputError(f"The diffusion's {name} is {value!r}: choose one of {', '.join(known)}.")

    @cached_property
    def scheduler(self) -> DDPMScheduler:
        """The diffusers scheduler that holds alpha-bar and makes the training targets."""
        from diffusers import DDPMScheduler

        return DDPMScheduler(
            num_train_timesteps=self.timesteps, beta_schedule=self.noise_schedule, prediction_type=self.prediction
        )

    def alpha_bar(self, timestep: int) -> float:
        """Return the cumulative noise-retention coefficient; 1 before the first timestep (-1: the clean image)."""
        return 1.0 if timestep < 0 else float(self.scheduler.alphas_cumprod[timestep])

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noise images `B x C x H x W` (Eq. 8): sqrt(alpha-bar) x0 + sqrt(1 - alpha-bar) noise, one timestep each."""
        noised: Tensor = self.scheduler.add_noise(clean, noise, timesteps)
        return noised

    def training_target(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return what the network shall predict from `noised(clean, noise, timesteps)`."""
        if self.prediction == "v_prediction":
            velocity: Tensor = self.scheduler.get_velocity(clean, noise, timesteps)
            return velocity
        return noise if self.prediction == "epsilon" else clean

    def clean_estimate(self, output: Tensor, sample: Tensor, timestep: int) -> Tensor:
        """Return the clean image x0 that the network's output at `sample` implies."""
        signal = math.sqrt(self.alpha_bar(timestep))
        noise = math.sqrt(1.0 - self.alpha_bar(timestep))
        if self.prediction == "epsilon":
            return (sample - noise * output) / signal
        return signal * sample - noise * output if self.prediction == "v_prediction" else output

    def step(self, clean: Tensor, sample: Tensor, timestep: int, following: int, temperature: float = 1.0) -> Tensor:
        """Take DDIM's deterministic step (Song et al., 2021, Eq. 12) from `timestep` to the earlier `following`.

        Args:
            clean: estimate of x0, B x C x H x W.
            sample: x_t.
            timestep: t, of `sample`.
            following: the next timestep, smaller than `timestep`; -1 for the clean image.
            temperature: factor on the noise that the step keeps; 1 is DDIM itself.
        """
        now, then = self.alpha_bar(timestep), self.alpha_bar(following)
        noise = (sample - math.sqrt(now) * clean) / math.sqrt(1.0 - now)
        return math.sqrt(then) * clean + temperature * math.sqrt(1.0 - then) * noise


def start_timestep(strength: float, timesteps: int) -> int:
    """Return t0 = strength * T as an index 0..T-1: strength 1 starts at the last, noisiest timestep."""
    return max(round(strength * timesteps), 1) - 1


def reverse_timesteps(start: int, steps: int) -> list[int]:
    """Return at most `steps` evenly spaced decreasing timesteps, the first of them exactly `start`."""
    steps = min(steps, start + 1)
    return [round((start + 1) * (steps - index) / steps) - 1 for index in range(steps)]


@torch.no_grad()
def sdedit(
    denoiser: Callable[[Tensor, int], Tensor],
    images: Tensor,
    diffusion: Diffusion,
    *,
    strength: float,
    steps: int,
    temperature: float,
    bounds: tuple[float, float],
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Noise images to t0 (HIR-ALIGN Eq. 8) and denoise them back.

    Args:
        denoiser: network output from (B x C x H x W sample, timestep).
        images: B x C x H x W starting images, in the space in which the network was trained.
        diffusion: the forward process.
        strength: t0 / T in (0, 1].
        steps: number of network evaluations (fewer if t0 is smaller).
        temperature: factor on the noise that each step keeps; see `Diffusion.step`.
        bounds: smallest and largest value of a clean image; the estimates are clamped to it.
        generators: B CPU generators, one an image, so that its noise depends neither on the batch nor on the device.

    Returns:
        B x C x H x W edited images.
    """
    timesteps = reverse_timesteps(start_timestep(strength, diffusion.timesteps), steps)
    first = torch.full((images.shape[0],), timesteps[0], dtype=torch.long, device=images.device)
    noise = torch.stack([torch.randn(images.shape[1:], generator=one) for one in generators]).to(images.device)
    sample = diffusion.noised(images, noise, first)
    for timestep, following in zip(timesteps, [*timesteps[1:], -1], strict=True):
        clean = diffusion.clean_estimate(denoiser(sample, timestep), sample, timestep).clamp(*bounds)
        sample = diffusion.step(clean, sample, timestep, following, temperature)
    return sample.clamp(*bounds)
