"""The frozen CLIP encoders: images prepared as published, embeddings as CLIP's own, refusals in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.generators.clip_conditions import MEAN, ImageEncoder, TextEncoder, content_image
from tests.callbacks.generators.small_clip import write_small_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


def test_the_content_image_is_stretched_cut_to_eight_bits_and_swapped() -> None:
    rgb = torch.rand(3, 30, 40, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.2
    pixels = rgb.permute(1, 2, 0).numpy().astype(np.float64)
    stretched = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    swapped = (stretched * 255).astype(np.uint8)[:, :, ::-1].copy()
    resized = np.asarray(Image.fromarray(swapped).resize((32, 24), Image.Resampling.BICUBIC))[:, 4:28] / 255
    found = content_image(rgb, 24)
    assert found.shape == (1, 3, 24, 24)
    deviation = np.array([0.26862954, 0.26130258, 0.27577711])
    shown = found[0].permute(1, 2, 0).numpy() * deviation + np.array(MEAN)
    assert float(np.abs(shown - resized).max()) < 1.5 / 255
    correct = content_image(rgb, 24, correct=True)[0].permute(1, 2, 0).numpy() * deviation + np.array(MEAN)
    plain = Image.fromarray((pixels * 255).astype(np.uint8)).resize((32, 24), Image.Resampling.BICUBIC)
    assert float(np.abs(correct - np.asarray(plain)[:, 4:28] / 255).max()) < 1.5 / 255
    assert bool(torch.isfinite(content_image(torch.full((3, 8, 8), 0.5), 24)).all())


def test_encoders_give_what_clip_gives(clip: str) -> None:
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(clip).eval()
    rgb = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
    # the start, eight letters (the last ends the word), the end, and the end again up to 77
    ids = [52, *(ord(letter) - 97 for letter in "farmlan"), 26 + 3, *([53] * 68)]
    with torch.no_grad():
        state = model.text_model(input_ids=torch.tensor([ids])).last_hidden_state
        pooled = model.vision_model(pixel_values=content_image(rgb, 24)).pooler_output
        embedding = model.visual_projection(pooled)
    torch.testing.assert_close(TextEncoder(clip)("Farmland"), state)
    torch.testing.assert_close(ImageEncoder(clip)(rgb), embedding)
