"""What conditions unCLIP against diffusers' pipeline and CLIP's own preprocessing."""

from __future__ import annotations

import math

import pytest
import torch
from skimage import data

from callbacks.guides import unclip_conditions
from callbacks.guides.unclip_conditions import clip_pixels, image_labels, text_tokens
from callbacks.guides.unclip_parts import UnCLIPParts
from hyperalign.seeding import generator_for
from tests.callbacks.guides.tiny_unclip import EMBEDDING


def test_clips_input_is_that_of_the_feature_extractor(parts: UnCLIPParts) -> None:
    image = data.coffee()[:300, :421]
    expected = parts.feature_extractor(images=image, return_tensors="pt").pixel_values
    mine = clip_pixels(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255, parts.feature_extractor)
    assert mine.shape == expected.shape == (1, 3, 16, 16)
    # It computes with 8 bits: one level is 0.0151 in units of CLIP's standard deviation.
    assert float((mine - expected).abs().max()) < 0.0152
    assert float((mine - expected).abs().mean()) < 0.005


def test_text_tokens_are_encoded_once_and_stay_on_the_cpu(parts: UnCLIPParts, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(tokenizer: object, encoder: object, prompt: str, device: torch.device) -> torch.Tensor:
        asked.append(prompt)
        return torch.full((1, 2, 3), float(len(prompt)))

    monkeypatch.setattr(unclip_conditions, "encoded_prompt", counted)
    for _ in range(2):
        tokens = text_tokens(parts, ["blur", "sharp", "blur"], torch.device("cpu"))
        assert tokens[:, 0, 0].tolist() == [4.0, 5.0, 4.0]
    assert asked == ["blur", "sharp"]
    text_tokens(parts, ["blur", "smooth"], torch.device("cpu"))
    assert asked == ["blur", "sharp", "smooth"]


@pytest.mark.parametrize("level", [0, 400, 999])
def test_labels_are_the_noised_standardised_embedding_and_the_levels_waves(parts: UnCLIPParts, level: int) -> None:
    images = torch.rand(3, 3, 20, 17, generator=generator_for(0))
    noise = torch.randn(3, EMBEDDING, generator=generator_for(1))
    with torch.no_grad():
        labels = image_labels(parts, images, noise, level, at_once=2)
        encoder, normalizer = parts.modules["image_encoder"], parts.modules["image_normalizer"]
        clean = encoder(clip_pixels(images, parts.feature_extractor)).image_embeds
    kept = parts.image_noising_scheduler.alphas_cumprod[level]
    standard = (clean - normalizer.mean) / normalizer.std
    noised = (kept.sqrt() * standard + (1 - kept).sqrt() * noise) * normalizer.std + normalizer.mean
    assert labels.shape == (3, 2 * EMBEDDING)
    torch.testing.assert_close(labels[:, :EMBEDDING], noised.detach(), rtol=1e-4, atol=1e-5)
    half = EMBEDDING // 2
    phases = [level * 10000 ** (-number / half) for number in range(half)]
    waves = [*(math.cos(phase) for phase in phases), *(math.sin(phase) for phase in phases)]
    torch.testing.assert_close(labels[:, EMBEDDING:], torch.tensor(waves).expand(3, -1), rtol=0, atol=1e-3)
