"""Restormer's parts against their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.layers.restormer import ChannelLayerNorm, RestormerBlock, TransposedAttention
from tests.plain.promptir import plain_attention, plain_block


def features_of(channels: int, seed: int = 0) -> torch.Tensor:
    """Features with a mean and a spread that differ between pixels."""
    generator = torch.Generator().manual_seed(seed)
    scale = 1 + 3 * torch.rand(2, 1, 5, 6, generator=generator)
    return scale * torch.randn(2, channels, 5, 6, generator=generator) + scale


def test_norm_with_bias_removes_mean_and_spread_of_every_pixel() -> None:
    normed = ChannelLayerNorm(16)(features_of(16))
    assert normed.mean(dim=1).abs().max() < 1e-6
    assert normed.var(dim=1, correction=0).sub(1).abs().max() < 1e-3


def test_norm_without_bias_keeps_the_mean_over_the_spread() -> None:
    features = features_of(16)
    normed = ChannelLayerNorm(16, bias=False)(features)
    expected = features / (features.var(dim=1, correction=0, keepdim=True) + 1e-5).sqrt()
    assert torch.allclose(normed, expected, rtol=1e-5)
    assert normed.mean(dim=1).abs().max() > 0.5


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
def test_attention_equals_its_definition_in_any_memory_order(memory: torch.memory_format, bias: bool) -> None:
    torch.manual_seed(0)
    attention = TransposedAttention(channels=12, heads=3, bias=bias)
    attention.temperature.data = torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1)
    features = features_of(12).contiguous(memory_format=memory)
    with torch.no_grad():
        assert torch.allclose(attention(features), plain_attention(attention, features), atol=1e-5)


def test_attention_of_a_black_image_is_finite() -> None:
    attention = TransposedAttention(channels=4, heads=2)
    features = torch.zeros(1, 4, 3, 3, requires_grad=True)
    attended = attention(features)
    attended.sum().backward()
    assert not bool(attended.any())
    assert features.grad is not None
    assert bool(torch.isfinite(features.grad).all())


@pytest.mark.parametrize(("bias", "norm_bias"), [(False, True), (True, False)])
def test_block_equals_the_published_order_of_operations(bias: bool, norm_bias: bool) -> None:
    torch.manual_seed(1)
    block = RestormerBlock(channels=8, heads=2, expansion=2.66, bias=bias, norm_bias=norm_bias)
    features = features_of(8)
    with torch.no_grad():
        assert torch.allclose(block(features), plain_block(block, features), atol=1e-5)
    assert block.feed_forward.project.in_channels == 21


def test_feed_forward_gates_the_second_half_by_the_first() -> None:
    torch.manual_seed(2)
    network = RestormerBlock(channels=4, heads=1, expansion=2.0).feed_forward
    features = features_of(4)
    with torch.no_grad():
        hidden = network.depthwise(network.expand(features))
        expected = network.project(functional.gelu(hidden[:, :8]) * hidden[:, 8:])
        assert torch.allclose(network(features), expected, atol=1e-6)


def test_heads_that_do_not_divide_the_channels_give_a_sentence() -> None:
    with pytest.raises(ValueError, match="5 heads do not divide 12 channels; choose a divisor of them"):
        TransposedAttention(channels=12, heads=5)
