"""The rows of Table 3: same interface, each against a plain computation (the block around them: test_comamba)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.mixers import (
    CobraMixer,
    ConvolutionMixer,
    CrossAttentionMixer,
    MixerName,
)
from tests.lightning_modules.networks.fusion.co2if.mixing import LATTICE, MIXERS, block, guidance, image, text


@pytest.mark.parametrize("mixer", MIXERS)
def test_weights_multiply_what_was_mixed(mixer: MixerName) -> None:
    network = block(mixer, guide_channels=8, token_channels=5).mixer
    with torch.no_grad():
        one, two, three = (
            network(image(8), guidance()._replace(weight=torch.full((2, 8, *LATTICE), value)))
            for value in (0.0, 1.0, 3.0)
        )
        plain = network(image(8), guidance(weighted=False))
    assert torch.allclose(two, plain, rtol=1e-5, atol=1e-6)
    assert torch.allclose(three - one, 3 * (two - one), rtol=1e-3, atol=1e-5)
    assert float((two - one).abs().mean()) > 1e-3


@pytest.mark.parametrize("mixer", ["cross_attention", "cobra"])
def test_padded_text_tokens_are_not_heard(mixer: MixerName) -> None:
    network = block(mixer, guide_channels=8, token_channels=5).mixer
    tokens, mask = text()
    other = torch.where(mask[..., None], tokens, 100.0)
    with torch.no_grad():
        assert torch.equal(
            network(image(8), Guidance(None, tokens, mask)), network(image(8), Guidance(None, other, mask))
        )


def attended(mixer: CrossAttentionMixer, asking: Tensor, answering: Tensor) -> Tensor:
    """Attention of `N x D` to `M x E`, by torch's own function, head by head."""
    query = mixer.query(asking)
    key, value = mixer.key_value(answering).chunk(2, dim=-1)
    width = query.shape[1] // mixer.heads
    heads = [slice(head * width, (head + 1) * width) for head in range(mixer.heads)]
    parts = [functional.scaled_dot_product_attention(query[:, h], key[:, h], value[:, h]) for h in heads]
    return torch.cat(parts, dim=1)


def test_cross_attention_to_text_and_to_windows() -> None:
    torch.manual_seed(0)
    by_text, by_window = CrossAttentionMixer(8, 6, 5, heads=2), CrossAttentionMixer(8, 6, heads=2, window=4)
    asking, guide, (tokens, mask) = image(8), image(6, 1), text()
    with torch.no_grad():
        found = by_text(asking, Guidance(None, tokens, mask)) - asking
        expected = attended(by_text, asking[1].flatten(1).T, tokens[1, :3]).T.unflatten(1, LATTICE)
        assert torch.allclose(found[1], expected, atol=1e-5)
        found = by_window(asking, Guidance(guide)) - asking
        for rows, columns in ((slice(0, 4), slice(0, 4)), (slice(8, 12), slice(4, 8))):
            pixels = [part[0, :, rows, columns].flatten(1).T for part in (asking, guide)]
            expected = attended(by_window, pixels[0], pixels[1]).T.unflatten(1, (4, 4))
            assert torch.allclose(found[0, :, rows, columns], expected, atol=1e-5)
    assert found.shape == asking.shape


def test_cobra_is_a_mamba_over_text_then_pixels() -> None:
    torch.manual_seed(0)
    mixer, asking, (tokens, _) = CobraMixer(8, None, 5, state_dim=3), image(8), text()
    assert mixer.embed is not None
    with torch.no_grad():
        sequence = torch.cat((mixer.embed(tokens), asking.flatten(2).mT), dim=1)
        expected = mixer.mamba(sequence)[:, 7:].mT.unflatten(2, LATTICE) + asking
        assert torch.allclose(mixer(asking, Guidance(None, tokens)), expected, atol=1e-6)


def test_convolution_sees_image_and_guide_side_by_side() -> None:
    torch.manual_seed(0)
    mixer, asking, guide = ConvolutionMixer(8, 6), image(8), image(6, 1)
    layers = [layer for layer in mixer.layers if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        joined = torch.cat((asking, guide), dim=1)
        bias = layers[0].bias
        assert bias is not None
        narrowed = torch.einsum("oc,bchw->bohw", layers[0].weight[..., 0, 0], joined) + bias[:, None, None]
        local = layers[1](narrowed)
        expected = layers[2](functional.gelu(local)) + asking
        assert torch.allclose(mixer(asking, Guidance(guide)), expected, atol=1e-5)


def test_impossible_mixers_give_a_sentence() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide 8 channels; choose another dim"):
        CrossAttentionMixer(8, heads=3)
