"""What conditions unCLIP: the image embedding z_I of the proxy and the text embedding z_T (HIR-ALIGN, Eq. 5 and 6).

The paper fuses both into one code. In StableUnCLIP the fusion is inside the UNet: the text tokens go through its cross
attention, the image embedding, with the embedding of its noise level, through its class labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.guides.unclip_parts import UnCLIPParts
from callbacks.guides.unclip_prompts import encoded_prompt


def text_tokens(parts: UnCLIPParts, prompts: Sequence[str], device: torch.device) -> Tensor:
    """Encode prompts, each once: N x L x D in the parts' dtype on `device`."""
    keys = [(prompt, parts.dtype) for prompt in prompts]
    missing = dict.fromkeys(key for key in keys if key not in parts.prompts)
    if missing:
        with parts.at("text_encoder", device) as encoder:
            for key in missing:
                parts.prompts[key] = encoded_prompt(parts.tokenizer, encoder, key[0], device).cpu()
    return torch.cat([parts.prompts[key] for key in keys]).to(device)


def image_labels(parts: UnCLIPParts, images: Tensor, noise: Tensor, level: int, at_once: int) -> Tensor:
    """Embed images and noise the embeddings.

    The embeddings are normalised by the checkpoint's statistics before the noise, so that it disturbs every direction
    alike, and brought back after it; the level's own embedding is appended, so that the UNet knows how much to trust.

    Args:
        parts: the components.
        images: B x 3 x H x W in [0, 1], gamma-encoded like photographs.
        noise: B x D, standard normal.
        level: 0 (none) to 999.
        at_once: images that the encoder sees together.

    Returns:
        B x 2D in the parts' dtype: what the UNet takes as class labels.
    """
    from diffusers.models.embeddings import get_timestep_embedding

    device = images.device
    pixels = clip_pixels(images, parts.feature_extractor).to(parts.dtype)
    with parts.at("image_encoder", device) as encoder:
        embeddings = torch.cat([encoder(some).image_embeds for some in pixels.split(at_once)])
    levels = torch.full((len(images),), level, device=device)
    with parts.at("image_normalizer", device) as normalizer:
        scaled = normalizer.scale(embeddings)
        noised = parts.image_noising_scheduler.add_noise(scaled, timesteps=levels, noise=noise.to(scaled))
        embeddings = normalizer.unscale(noised)
    width = embeddings.shape[-1]
    waves = get_timestep_embedding(timesteps=levels, embedding_dim=width, flip_sin_to_cos=True, downscale_freq_shift=0)
    return torch.cat([embeddings, waves.to(embeddings)], dim=1)


def clip_pixels(images: Tensor, feature_extractor: Any) -> Tensor:  # noqa: ANN401 - transformers is not typed
    """Resize, crop and normalise B x 3 x H x W in [0, 1] as CLIP was trained: shorter side fitted, centre taken."""
    crop = (feature_extractor.crop_size["height"], feature_extractor.crop_size["width"])
    side, (height, width) = feature_extractor.size["shortest_edge"], images.shape[-2:]
    shorter = min(height, width)
    size = (max(crop[0], side * height // shorter), max(crop[1], side * width // shorter))
    resized = functional.interpolate(images, size, mode="bicubic", antialias=True).clamp(0.0, 1.0)
    top, left = (size[0] - crop[0]) // 2, (size[1] - crop[1]) // 2
    mean, spread = (images.new_tensor(list(values)).view(3, 1, 1) for values in _statistics(feature_extractor))
    return (resized[..., top : top + crop[0], left : left + crop[1]] - mean) / spread


def _statistics(feature_extractor: Any) -> tuple[Sequence[float], Sequence[float]]:  # noqa: ANN401
    return feature_extractor.image_mean, feature_extractor.image_std
