"""Adapters behind the towers: Eq. 16's unit vectors, the mean over real tokens, and the temperature."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.fusion.co2if.adapters import ClipAdapters
from tests.lightning_modules.networks.fusion.co2if.samples import random_tokens

MASK = torch.arange(7)[None] < torch.tensor([[7], [3]])


def adapters() -> ClipAdapters:
    torch.manual_seed(0)
    return ClipAdapters(text_width=5, image_width=4, width=3)


def test_tokens_pass_two_linear_layers_and_a_gelu_one_by_one() -> None:
    module, tokens = adapters(), random_tokens(2, 7, 5, 0)
    weights = module.tokens.state_dict()
    hidden = functional.gelu(tokens[1, 2] @ weights["0.weight"].T + weights["0.bias"])
    torch.testing.assert_close(module(tokens)[1, 2], hidden @ weights["2.weight"].T + weights["2.bias"])
    assert module(tokens).shape == (2, 7, 3)
    assert module.logit_scale.exp().item() == pytest.approx(1 / 0.07, rel=1e-5)


def test_the_text_is_the_unit_mean_of_its_real_adapted_tokens() -> None:
    module, tokens, seen = adapters(), random_tokens(2, 7, 5, 0), random_tokens(2, 1, 4, 1)[:, 0]
    text, image = module.embed(tokens, MASK, seen)
    mean = module(tokens[1:, :3]).mean(dim=1)
    torch.testing.assert_close(text[1:], mean / mean.norm())
    torch.testing.assert_close(image, functional.normalize(module.image(seen), dim=-1))
    torch.testing.assert_close(torch.cat((text, image)).norm(dim=1), torch.ones(4))
    padded = torch.where(MASK[..., None], tokens, 100.0)
    torch.testing.assert_close(module.embed(padded, MASK, seen)[0], text)


def test_the_vectors_are_in_float32_whatever_the_autocast() -> None:
    module, tokens, seen = adapters(), random_tokens(2, 7, 5, 0), random_tokens(2, 1, 4, 1)[:, 0]
    expected = module.embed(tokens, MASK, seen)
    with torch.autocast("cpu", torch.bfloat16):
        for found, wanted in zip(module.embed(tokens, MASK, seen), expected, strict=True):
            assert found.dtype == torch.float32
            assert torch.equal(found, wanted)


def test_other_widths_give_a_sentence() -> None:
    with pytest.raises(ValueError, match="text tokens of 5 and image embeddings of 3 channels but the network was bui"):
        adapters().embed(random_tokens(2, 7, 5, 0), MASK, torch.zeros(2, 3))
