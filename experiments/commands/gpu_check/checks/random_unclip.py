"""unCLIP's components with random weights: tiny, or with the sizes of the published checkpoint."""

from __future__ import annotations

import string
from typing import Any

import torch

from callbacks.guides import UnCLIPGuides
from callbacks.guides.unclip_parts import UnCLIPParts

TINY: dict[str, dict[str, Any]] = {
    "text": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
    "vision": {
        "hidden_size": 16,
        "intermediate_size": 16,
        "projection_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
    },
    "unet": {
        "sample_size": 16,
        "in_channels": 12,
        "out_channels": 12,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "cross_attention_dim": 16,
    },
    "vae": {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "block_out_channels": (8, 8),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "latent_channels": 12,
        "sample_size": 32,
    },
}

FULL: dict[str, dict[str, Any]] = {
    "text": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16},
    "vision": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "projection_dim": 768,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
    },
    "unet": {
        "sample_size": 96,
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "attention_head_dim": (5, 10, 20, 20),
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
    },
    "vae": {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "latent_channels": 4,
        "sample_size": 768,
    },
}
"""Stable Diffusion 2.1 unCLIP, small: CLIP ViT-L/14 as image encoder, OpenCLIP ViT-H as text encoder, 768 pixels."""

PLACES = 77


class RandomUnCLIPGuides(UnCLIPGuides):
    """unCLIP's guides from components that are at hand.

    Args:
        parts: the components.
        **arguments: see `UnCLIPGuides`.
    """

    def __init__(self, parts: UnCLIPParts, **arguments: Any) -> None:  # noqa: ANN401 - those of the parent
        super().__init__(local_files_only=True, **arguments)
        self._given = parts

    def _ready(self, device: torch.device) -> UnCLIPParts:
        return self._given


def random_parts(sizes: dict[str, dict[str, Any]], dtype: torch.dtype, device: torch.device) -> UnCLIPParts:
    """Build the components with random weights.

    Args:
        sizes: `TINY` or `FULL`.
        dtype: of the weights.
        device: where the weights are drawn, which takes minutes on a CPU at full size.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
    from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel, CLIPVisionConfig
    from transformers import CLIPVisionModelWithProjection as VisionModel

    words = _words()
    width, image = sizes["vision"]["projection_dim"], sizes["vision"]["image_size"]
    places = {"vocab_size": len(words), "max_position_embeddings": PLACES}
    ends = {"bos_token_id": words["<|startoftext|>"], "eos_token_id": words["<|endoftext|>"]}
    torch.manual_seed(0)
    with device:
        modules = {
            "text_encoder": CLIPTextModel(CLIPTextConfig(**places, **ends, **sizes["text"])),
            "image_encoder": VisionModel(CLIPVisionConfig(**sizes["vision"])),
            "image_normalizer": StableUnCLIPImageNormalizer(width),
            "unet": UNet2DConditionModel(
                class_embed_type="projection", projection_class_embeddings_input_dim=2 * width, **sizes["unet"]
            ),
            "vae": AutoencoderKL(**sizes["vae"]),
        }
    noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    steps = {"prediction_type": "v_prediction", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
    return UnCLIPParts(
        {name: module.to(device, dtype).eval().requires_grad_(False) for name, module in modules.items()},
        _tokenizer(words),
        CLIPImageProcessor(size={"shortest_edge": image}, crop_size={"height": image, "width": image}),
        DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        DDIMScheduler(**noise, **steps),
        dtype,
    )


def _words() -> dict[str, int]:
    """A vocabulary of letters."""
    letters = [*string.ascii_lowercase, ",", "."]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(words)}


def _tokenizer(words: dict[str, int]) -> Any:  # noqa: ANN401 - transformers is not typed
    from transformers import CLIPTokenizer

    return CLIPTokenizer(vocab=words, merges=[], model_max_length=PLACES)
