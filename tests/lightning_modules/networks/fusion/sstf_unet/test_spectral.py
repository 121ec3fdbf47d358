"""Spectral attention of SSTF-Unet against normalised tensors, and what it does not depend on."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.fusion.sstf_unet.spectral import SpectralAttention, SpectralLayer
from tests.plain.sstf_unet import spectral


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_a_layer_equals_the_published_order_of_operations(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer, features = SpectralLayer(6, 2), torch.randn(2, 6, *size)
    layer.attention.rescale.copy_(torch.tensor([2.0, 5.0]).view(2, 1, 1))
    torch.testing.assert_close(layer(features), spectral(layer, features), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_attention_is_among_channels_of_a_head_and_does_not_see_the_order_of_pixels() -> None:
    torch.manual_seed(1)
    attention, features = SpectralAttention(4, 2), torch.randn(1, 4, 2, 3)
    pixels = features.flatten(2)[0]
    query, key, value = (layer.weight @ pixels for layer in (attention.query, attention.key, attention.value))
    expected = torch.zeros(4, 6)
    for channel in range(4):
        head = slice(2 * (channel // 2), 2 * (channel // 2) + 2)
        cosines = torch.nn.functional.cosine_similarity(key[channel], query[head], dim=-1)
        expected[channel] = torch.softmax(cosines, dim=0) @ value[head]
    projected = (attention.project.weight @ expected + attention.project.bias[:, None]).view(1, 4, 2, 3)
    position = attention.position(value.view(1, 4, 2, 3))
    torch.testing.assert_close(attention(features), projected + position, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_a_black_image_is_finite_and_autocast_keeps_the_scores_in_float32() -> None:
    torch.manual_seed(2)
    layer = SpectralLayer(4, 2)
    assert bool(torch.isfinite(layer(torch.zeros(1, 4, 3, 3))).all())
    features = torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(features)
    assert float((found.float() - layer(features)).abs().max()) < 0.1
