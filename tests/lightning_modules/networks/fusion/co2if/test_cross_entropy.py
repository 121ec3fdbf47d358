"""Alignment by cross-entropy: the softmax plan and the loss against numbers worked out by hand."""

from __future__ import annotations

import math

import torch

from lightning_modules.networks.fusion.co2if.cross_entropy import matching_cross_entropy, softmax_plan
from tests.lightning_modules.networks.fusion.co2if.samples import random_tokens


@torch.no_grad()
def test_matching_cross_entropy() -> None:
    words = torch.eye(3)[:, None]
    pixels = words.repeat(1, 4, 1)
    expected = math.log(1 + 2 * math.exp(-2))
    assert abs(float(matching_cross_entropy(pixels, words, temperature=0.5)) - expected) < 1e-6
    assert float(matching_cross_entropy(pixels, words.roll(1, 0))) > 10
    assert float(matching_cross_entropy(pixels[:1], words[:1])) == 0


def test_softmax_plan() -> None:
    image, text = random_tokens(1, 4, 3, 0), random_tokens(1, 2, 3, 1)
    cosine = torch.nn.functional.cosine_similarity(image[:, :, None], text[:, None], dim=-1)
    assert torch.allclose(softmax_plan(image, text, 0.5), torch.softmax(cosine / 0.5, dim=-1) / 4, atol=1e-6)


def test_padded_words_get_nothing_and_change_nothing() -> None:
    image, text = random_tokens(2, 5, 3, 0), random_tokens(2, 4, 3, 1)
    mask = torch.tensor([[True, True, True, False]]).expand(2, -1)
    plan = softmax_plan(image, text, text_mask=mask)
    assert torch.equal(plan[..., 3], torch.zeros(2, 5))
    torch.testing.assert_close(plan[..., :3], softmax_plan(image, text[:, :3]))
    torch.testing.assert_close(plan.sum(dim=-1), torch.full((2, 5), 0.2))
    loss = matching_cross_entropy(image, text, text_mask=mask)
    torch.testing.assert_close(loss, matching_cross_entropy(image, text[:, :3]))
    torch.testing.assert_close(loss, matching_cross_entropy(image.flip(0, 1), text[:, :3].flip(0, 1)))
