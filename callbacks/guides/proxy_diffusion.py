"""Guides from a small diffusion model that is trained on the target's own proxies, sampled by SDEdit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from callbacks.guides.base import Guides, check_range, check_request, described
from callbacks.guides.denoiser import image_multiple, padded_to_multiple
from callbacks.guides.denoiser_training import Denoiser, DenoiserTraining, train_denoiser
from callbacks.guides.photometric import PhotometricGuides
from callbacks.guides.sdedit import Diffusion, NoiseSchedule, Prediction, sdedit, start_timestep
from hyperalign.errors import InputError, RunError


class ProxyDiffusionGuides(Guides):
    """Noise the proxy RGB to t0 (HIR-ALIGN Eq. 8) and denoise it with a UNet that knows only this target's proxies.

    No published weights are needed: the generator learns the target's textures from the proxies themselves, and SDEdit
    redraws every scene's details with them while its coarse layout stays. The network sees patches in training and
    whole images, of any size, in sampling.

    The defaults train in about a minute on two CPU cores. On a GPU, raise `channels`, `layers`, `patch_size`,
    `batch_size` and `training_steps`.

    Args:
        strength: t0 / T in (0, 1]: how much of the proxy is redrawn; the UNet learns the timesteps up to t0 only.
        steps: network evaluations a guide.
        temperature: factor on the noise that each DDIM step keeps. Below 1 it removes the noise that a small, briefly
            trained network leaves behind; use 1 with a well trained one.
        photometric: relights, recolours and displaces the proxy before it is noised; None starts at the proxy itself.
        training_steps: optimiser steps.
        patch_size: side of the training patches in pixels, a multiple of `unshuffle * 2 ** (len(channels) - 1)`.
        batch_size: patches a step.
        channels: channels of the UNet's resolution levels, multiples of 8. In a short training one level does best:
            on four photographs it left about 10 % less error than two levels in about the same time.
        layers: residual blocks a level.
        unshuffle: side of the blocks of pixels that the UNet folds into channels; 1 is finer and about 4 times slower.
        learning_rate: peak of Adam's learning rate (warm-up, then cosine).
        ema_decay: decay of the averaged weights, which do the sampling.
        prediction: what the UNet predicts: `epsilon`, `v_prediction` or `sample`.
        noise_schedule: diffusers' name of the noise schedule.
        timesteps: length T of the diffusion.
        checkpoint_every: steps between two training states on disk.
        guides_at_once: guides of one batch; more than 1 pays on a GPU.

    Raises:
        ValueError: for a value out of its range.
    """

    def __init__(
        self,
        strength: float = 0.35,
        steps: int = 10,
        temperature: float = 0.9,
        photometric: PhotometricGuides | None = None,
        training_steps: int = 1000,
        patch_size: int = 32,
        batch_size: int = 8,
        channels: Sequence[int] = (48,),
        layers: int = 1,
        unshuffle: int = 2,
        learning_rate: float = 4e-3,
        ema_decay: float = 0.995,
        prediction: Prediction = "v_prediction",
        noise_schedule: NoiseSchedule = "squaredcos_cap_v2",
        timesteps: int = 1000,
        checkpoint_every: int = 100,
        guides_at_once: int = 1,
    ) -> None:
        check_range("strength", strength, 1.0 / timesteps, 1.0)
        check_range("temperature", temperature, 0.0, 1.0)
        check_range("ema_decay", ema_decay, 0.0, 1.0)
        check_range("learning_rate", learning_rate, 0.0)
        for name, value in (
            ("steps", steps),
            ("training_steps", training_steps),
            ("batch_size", batch_size),
            ("layers", layers),
            ("unshuffle", unshuffle),
            ("checkpoint_every", checkpoint_every),
            ("guides_at_once", guides_at_once),
        ):
            check_range(name, value, 1)
        self.multiple = _checked_multiple(channels, unshuffle, patch_size)
        self.strength = strength
        self.steps = steps
        self.temperature = temperature
        self.photometric = photometric
        self.guides_at_once = guides_at_once
        self.diffusion = Diffusion(timesteps, noise_schedule, prediction)
        self.training = DenoiserTraining(
            self.diffusion,
            tuple(channels),
            layers,
            unshuffle,
            training_steps,
            patch_size,
            batch_size,
            learning_rate,
            ema_decay,
            checkpoint_every,
            start_timestep(strength, timesteps) + 1,
        )
        self._denoiser: Denoiser | None = None

    @property
    def fit_steps(self) -> int:
        """Optimiser steps of the training."""
        return self.training.training_steps

    @property
    def at_once(self) -> int:
        """Guides of one batch."""
        return self.guides_at_once

    @property
    def fit_seconds(self) -> float:
        """Seconds of the training, interrupted runs included; 0 before `fit`."""
        return 0.0 if self._denoiser is None else self._denoiser.seconds

    def fit(
        self,
        proxy_rgbs: Sequence[Tensor],
        seed: int,
        folder: Path,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Train the UNet on the proxies, on the first proxy's device; see `Guides`.

        A finished training of the same settings, seed and proxies in `folder` is loaded, an unfinished one goes on.

        Raises:
            ValueError: without proxies, or for one of a wrong shape or with non-finite values.
            FloatingPointError: if the loss is not finite.
        """
        if not proxy_rgbs:
            raise InputError("ProxyDiffusionGuides got no proxies to learn from: give at least one target observation.")
        images = [check_request(image, 1).to(proxy_rgbs[0].device) for image in proxy_rgbs]
        self._denoiser = train_denoiser(self.training, images, seed, folder, progress)

    def __call__(self, proxy_rgb: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Redraw a 3 x H x W proxy RGB `n` times; see `Guides`.

        Returns:
            n x 3 x H x W in [0, 1] on the proxy's device.

        Raises:
            RuntimeError: before `fit`.
            ValueError: for a proxy of another shape or with non-finite values.
        """
        image = check_request(proxy_rgb, n)
        starts = self.photometric(image, n, generator) if self.photometric else image.expand(n, -1, -1, -1)
        return torch.cat([self._redrawn(one, [generator]) for one in starts.split(1)])

    def many(self, requests: Sequence[tuple[Tensor, torch.Generator]]) -> list[Tensor]:
        """Redraw one guide for each proxy RGB and generator, those of equal size in one batch; see `Guides`."""
        guides: dict[int, Tensor] = {}
        by_size: dict[tuple[int, ...], list[int]] = {}
        for index, (proxy_rgb, _) in enumerate(requests):
            by_size.setdefault(tuple(proxy_rgb.shape), []).append(index)
        for indices in by_size.values():
            generators = [requests[index][1] for index in indices]
            images = [check_request(requests[index][0], 1)[None] for index in indices]
            if self.photometric:
                pairs = zip(images, generators, strict=True)
                images = [self.photometric(image[0], 1, generator) for image, generator in pairs]
            guides.update(zip(indices, self._redrawn(torch.cat(images), generators), strict=True))
        return [guides[index] for index in range(len(requests))]

    def _redrawn(self, starts: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Redraw B x 3 x H x W images, each with the noise of its own generator.

        Raises:
            RuntimeError: before `fit`.
        """
        if self._denoiser is None:
            raise RunError("ProxyDiffusionGuides has no trained network yet: call fit with the target's proxies first.")
        network, space = self._denoiser.network.to(starts.device), self._denoiser.space

        def denoise(sample: Tensor, timestep: int) -> Tensor:
            times = torch.full((len(sample),), timestep, dtype=torch.long, device=sample.device)
            output: Tensor = network(sample, times)
            return output

        edited = sdedit(
            denoise,
            space.encode(padded_to_multiple(starts, self.multiple)),
            self.diffusion,
            strength=self.strength,
            steps=self.steps,
            temperature=self.temperature,
            bounds=space.bounds,
            generators=generators,
        )
        return space.decode(edited)[..., : starts.shape[-2], : starts.shape[-1]]

    def settings(self) -> dict[str, Any]:
        """Return the class name, the sampling's and the training's arguments; see `Guides`."""
        return described(
            self,
            {
                "strength": self.strength,
                "steps": self.steps,
                "temperature": self.temperature,
                "photometric": self.photometric.settings() if self.photometric else None,
                "training": asdict(self.training)
                | {"checkpoint_every": None, "channels": list(self.training.channels)},
            },
        )


def _checked_multiple(channels: Sequence[int], unshuffle: int, patch_size: int) -> int:
    """Return what divides the sides of the network's images.

    Raises:
        ValueError: if the network cannot have these channels, or cannot train on such patches.
    """
    if not channels or any(width < 8 or width % 8 for width in channels):
        raise InputError(f"The guides' argument channels is {list(channels)}: give positive multiples of 8.")
    multiple = image_multiple(channels, unshuffle)
    if patch_size < 2 * multiple or patch_size % multiple:
        raise InputError(
            f"The guides' argument patch_size is {patch_size}: with these channels and this unshuffle choose a "
            f"multiple of {multiple}, at least {2 * multiple}."
        )
    return multiple
