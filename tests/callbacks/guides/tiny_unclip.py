"""A StableUnCLIPImg2ImgPipeline of random weights, small enough for tests, saved to disk as a user's would be."""

from __future__ import annotations

import string
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

EMBEDDING = 16
FACTOR = 2
"""Pixels a latent pixel; the UNet halves once more, so that sizes must be multiples of 4."""

LATENTS = 12
PLACES = 20
"""Tokens that a prompt may have, with its start and end."""

SIDE = 32


def tiny_pipeline(**changes: Any) -> Any:  # noqa: ANN401 - diffusers is not typed
    """Make the pipeline, the same one whenever it is called; the global random state stays as it was.

    Args:
        changes: components to exchange, or ``embedding``: the width of the image encoder's embeddings alone.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, StableUnCLIPImg2ImgPipeline, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
    from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        letters = [*string.ascii_lowercase, ",", "."]
        words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
        vocabulary = {word: number for number, word in enumerate(words)}
        text = CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=PLACES,
            bos_token_id=vocabulary["<|startoftext|>"],
            eos_token_id=vocabulary["<|endoftext|>"],
        )
        normalizer = StableUnCLIPImageNormalizer(EMBEDDING)
        normalizer.mean.data.normal_()
        normalizer.std.data.uniform_(0.5, 1.5)
        parts = {
            "feature_extractor": CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
            "image_encoder": tiny_encoder(changes.pop("embedding", EMBEDDING)),
            "image_normalizer": normalizer,
            "image_noising_scheduler": DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            "tokenizer": CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=PLACES),
            "text_encoder": CLIPTextModel(text),
            "unet": UNet2DConditionModel(
                sample_size=SIDE // FACTOR,
                in_channels=LATENTS,
                out_channels=LATENTS,
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                block_out_channels=(8, 16),
                layers_per_block=1,
                norm_num_groups=4,
                attention_head_dim=4,
                cross_attention_dim=16,
                class_embed_type="projection",
                projection_class_embeddings_input_dim=2 * EMBEDDING,
            ),
            "scheduler": DDIMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                prediction_type="v_prediction",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
            ),
            "vae": AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                block_out_channels=(8, 8),
                layers_per_block=1,
                norm_num_groups=4,
                latent_channels=LATENTS,
                sample_size=SIDE,
            ),
        }
        return StableUnCLIPImg2ImgPipeline(**{**parts, **changes})


def tiny_encoder(embedding: int = EMBEDDING, seed: int = 1) -> Any:  # noqa: ANN401 - transformers is not typed
    """Make a CLIP vision encoder of random weights, 16 x 16 pixels to ``embedding`` numbers."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=16,
                intermediate_size=16,
                projection_dim=embedding,
                num_hidden_layers=1,
                num_attention_heads=2,
                image_size=16,
                patch_size=8,
            )
        )


def saved_pipeline(folder: Path, **changes: Any) -> str:  # noqa: ANN401
    """Save the tiny pipeline into a folder and return its path, as a user gives it."""
    tiny_pipeline(**changes).save_pretrained(folder)
    return str(folder)


class LosslessVAE(nn.Module):
    """Takes the autoencoder's place without losing anything: blocks of pixels become channels, and back."""

    def __init__(self, scaling_factor: float) -> None:
        super().__init__()
        self.config = SimpleNamespace(block_out_channels=(8, 8), scaling_factor=scaling_factor)
        self.anchor = nn.Parameter(torch.zeros(()))

    @property
    def latent_dist(self) -> LosslessVAE:
        return self

    def encode(self, images: Tensor) -> LosslessVAE:
        self.encoded = nn.functional.pixel_unshuffle(images, FACTOR)
        return self

    def mode(self) -> Tensor:
        return self.encoded

    def decode(self, latents: Tensor, return_dict: bool) -> tuple[Tensor]:
        return (nn.functional.pixel_shuffle(latents, FACTOR),)
