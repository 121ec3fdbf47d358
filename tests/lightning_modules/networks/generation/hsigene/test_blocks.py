"""The blocks that HSIGene's parts share, number by number."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.networks.generation.hsigene.blocks import (
    Downsample,
    GatedFeedForward,
    ResidualBlock,
    SpatialTransformer,
    TokenAttention,
    Upsample,
    timestep_features,
)
from tests.lightning_modules.networks.generation.hsigene.drawn import draw


def test_timesteps_are_cosines_then_sines_at_falling_frequencies() -> None:
    found = timestep_features(torch.tensor([0, 37]), 6, longest=100.0)
    angles = [37 * 100.0 ** (-index / 3) for index in range(3)]
    assert found[0].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert found[1].tolist() == pytest.approx([*map(math.cos, angles), *map(math.sin, angles)], abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("leaving", "embedding"), [(4, None), (8, 5)])
def test_a_residual_block_adds_the_embedding_between_its_convolutions(leaving: int, embedding: int | None) -> None:
    torch.manual_seed(0)
    block, features = ResidualBlock(4, leaving, embedding, 2), draw(2, 4, 3, 5)
    given = None if embedding is None else draw(2, embedding)
    inner = block.conv1(functional.silu(block.norm1(features)))
    if block.embed is not None and given is not None:
        inner = inner + block.embed(given * torch.sigmoid(given)).view(2, leaving, 1, 1)
    expected = block.conv2(functional.silu(block.norm2(inner))) + block.skip(features)
    torch.testing.assert_close(block(features, given), expected)
    assert isinstance(block.skip, nn.Identity) == (leaving == 4)


@torch.no_grad()
def test_sizes_are_halved_and_doubled() -> None:
    features = draw(1, 3, 4, 6)
    assert Downsample(3)(features).shape == (1, 3, 2, 3)
    upsample = Upsample(3)
    repeated = features.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(upsample(features), upsample.conv(repeated))


@torch.no_grad()
def test_tokens_attend_head_by_head() -> None:
    torch.manual_seed(1)
    attention, tokens, context = TokenAttention(6, 4, 3), draw(2, 5, 6), draw(2, 7, 4, seed=2)
    query, key, value = attention.query(tokens), attention.key(context), attention.value(context)
    parts = []
    for head in range(3):
        channels = slice(2 * head, 2 * head + 2)
        scores = query[..., channels] @ key[..., channels].mT / math.sqrt(2)
        parts.append(torch.softmax(scores, dim=-1) @ value[..., channels])
    expected = attention.out(torch.cat(parts, dim=-1))
    torch.testing.assert_close(attention(tokens, context), expected, rtol=1e-4, atol=1e-6)
    order = torch.tensor([3, 0, 6, 1, 2, 5, 4])
    torch.testing.assert_close(attention(tokens, context[:, order]), expected, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_the_gate_is_the_second_half() -> None:
    torch.manual_seed(2)
    layer, tokens = GatedFeedForward(3, 5, 4), draw(2, 3)
    hidden = layer.expand(tokens)
    torch.testing.assert_close(layer(tokens), layer.contract(hidden[:, :4] * functional.gelu(hidden[:, 4:])))


@torch.no_grad()
def test_a_transformer_mixes_pixels_whatever_their_order_and_hears_the_context() -> None:
    torch.manual_seed(3)
    transformer, features, context = SpatialTransformer(8, 4, 2, 4), draw(2, 8, 3, 4), draw(2, 5, 4)
    found = transformer(features, context)
    assert found.shape == features.shape
    turned = transformer(features.flip(2, 3), context).flip(2, 3)
    torch.testing.assert_close(turned, found, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(transformer(features[1:], context[1:]), found[1:], rtol=1e-4, atol=1e-5)
    assert float((transformer(features, context.flip(0)) - found).abs().max()) > 1e-3
