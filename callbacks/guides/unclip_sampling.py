"""unCLIP's reverse diffusion on diffusers' components: from pure noise, or from the noised proxy (HIR-ALIGN, Eq. 8).

From pure noise, and with one tile, it computes what StableUnCLIPImg2ImgPipeline computes, bit by bit.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from callbacks.guides.unclip_conditions import image_labels, text_tokens
from callbacks.guides.unclip_parts import UnCLIPParts
from callbacks.guides.unclip_sizes import Canvas

Scheduler = Literal[
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
]
"""diffusers' schedulers that start anywhere and draw each image's noise from its own generator, or draw none."""


@dataclass(frozen=True)
class Sampling:
    """How guides are drawn.

    Attributes:
        prompt: positive prompt.
        negative_prompt: used if `guidance_scale` is above 1.
        guidance_scale: of classifier-free guidance; at most 1 switches it off and halves the time.
        steps: of the whole way from pure noise.
        strength: t0 / T in (0, 1]: the last `round(strength * steps)` steps are done; 1 starts at pure noise.
        noise_level: of the image embedding, 0 to 999.
        scheduler: the diffusers class; None is the checkpoint's own.
        at_once: tiles that the networks see together (twice as many under guidance).
    """

    prompt: str
    negative_prompt: str
    guidance_scale: float
    steps: int
    strength: float
    noise_level: int
    scheduler: Scheduler | None
    at_once: int

    @property
    def guided(self) -> bool:
        """Whether two evaluations, with and without the conditions, are combined."""
        return self.guidance_scale > 1.0


def fresh_scheduler(own: Any, sampling: Sampling) -> Any:  # noqa: ANN401 - diffusers is not typed
    """Make a scheduler of the wanted class with the checkpoint's noise schedule; they hold state, so one a batch."""
    import diffusers

    made = getattr(diffusers, sampling.scheduler) if sampling.scheduler else type(own)
    if sampling.strength < 1.0 and made is diffusers.PNDMScheduler:
        # Its Runge-Kutta start belongs to pure noise; it cannot begin anywhere else.
        return made.from_config(own.config, skip_prk_steps=True)
    return made.from_config(own.config)


def start_at(scheduler: Any, sampling: Sampling, device: torch.device) -> Tensor:  # noqa: ANN401
    """Set the scheduler to begin at t0 and return the timesteps left, the first of them t0."""
    scheduler.set_timesteps(sampling.steps, device=device)
    timesteps: Tensor = scheduler.timesteps
    if sampling.strength >= 1.0:
        return timesteps
    skipped = sampling.steps - max(1, round(sampling.steps * sampling.strength))
    if hasattr(scheduler, "plms_timesteps"):
        # PNDM visits the second timestep twice, wherever it begins.
        left = torch.cat([timesteps[:1], timesteps[2:]])[skipped:]
        return torch.cat([left[:2], left[1:]])
    # Second-order schedulers have two entries a step.
    skipped *= scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped)
    return timesteps[skipped:]


@torch.no_grad()
def redraw(
    parts: UnCLIPParts, images: Tensor, canvas: Canvas, generators: Sequence[torch.Generator], sampling: Sampling
) -> Tensor:
    """Draw one image for each given one.

    Args:
        parts: the components.
        images: B x 3 x H x W in [0, 1], gamma-encoded, of the canvas's size.
        canvas: which parts of the images the networks see at once.
        generators: B CPU generators, one an image: its embedding's noise, its start, its steps.
        sampling: how they are drawn.

    Returns:
        B x 3 x H x W, float32, about [0, 1], not clamped, so that overflows show.
    """
    device, dtype, tiles = images.device, parts.dtype, len(canvas.corners)
    with torch.autocast(device.type, enabled=False):
        width = parts.modules["image_normalizer"].config.embedding_dim
        disturbance = _noise((width,), generators, device).repeat_interleave(tiles, 0)
        labels = image_labels(parts, canvas.tiles(images), disturbance, sampling.noise_level, sampling.at_once)
        prompts = [sampling.negative_prompt, sampling.prompt] if sampling.guided else [sampling.prompt]
        tokens = text_tokens(parts, prompts, device)
        scheduler = fresh_scheduler(parts.scheduler, sampling)
        timesteps = start_at(scheduler, sampling, device)
        channels = parts.modules["unet"].config.in_channels
        size = (channels, canvas.size[0] // parts.factor, canvas.size[1] // parts.factor)
        noise = _noise(size, generators, device).to(dtype)
        if sampling.strength >= 1.0:
            latents = noise * scheduler.init_noise_sigma
        else:
            clean = _encoded(parts, images)
            latents = scheduler.add_noise(clean, noise, timesteps[:1].repeat(len(images))).to(dtype)
        accepted = inspect.signature(scheduler.step).parameters
        more = {"generator": list(generators)} if "generator" in accepted else {}
        with parts.at("unet", device) as unet:
            for timestep in timesteps:
                scaled = canvas.tiles(scheduler.scale_model_input(latents, timestep), parts.factor)
                outputs = _evaluated(unet, scaled.to(dtype), timestep, tokens, labels, sampling)
                output = canvas.blended(outputs, parts.factor)
                latents = scheduler.step(output, timestep, latents, **more, return_dict=False)[0]
        return _decoded(parts, latents.to(dtype))


def _noise(shape: Sequence[int], generators: Sequence[torch.Generator], device: torch.device) -> Tensor:
    """Standard normal numbers, an image's from its own generator, so that they do not depend on batch or device."""
    return torch.stack([torch.randn(*shape, generator=generator) for generator in generators]).to(device)


def _encoded(parts: UnCLIPParts, images: Tensor) -> Tensor:
    """Return the clean latents x0 (Eq. 8): the mode of the encoder's distribution, which adds no noise of its own."""
    with parts.at("vae", images.device) as vae:
        latents: Tensor = vae.encode((2.0 * images - 1.0).to(parts.dtype)).latent_dist.mode()
        return latents * float(vae.config.scaling_factor)


def _decoded(parts: UnCLIPParts, latents: Tensor) -> Tensor:
    with parts.at("vae", latents.device) as vae:
        images: Tensor = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
        return images.float() / 2.0 + 0.5


def _evaluated(unet: Any, tiles: Tensor, timestep: Tensor, tokens: Tensor, labels: Tensor, how: Sampling) -> Tensor:  # noqa: ANN401
    """Evaluate the UNet on noisy tiles, with classifier-free guidance: no text guidance means the negative prompt."""
    outputs = []
    for some, conditions in zip(tiles.split(how.at_once), labels.split(how.at_once), strict=True):
        if how.guided:
            some, conditions = torch.cat([some, some]), torch.cat([torch.zeros_like(conditions), conditions])
        words = tokens.repeat_interleave(len(some) // len(tokens), 0)
        output = unet(some, timestep, encoder_hidden_states=words, class_labels=conditions, return_dict=False)[0]
        if how.guided:
            without, with_conditions = output.chunk(2)
            output = without + how.guidance_scale * (with_conditions - without)
        outputs.append(output)
    return torch.cat(outputs)
