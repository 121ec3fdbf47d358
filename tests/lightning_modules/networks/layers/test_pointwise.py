"""Mixing channels against the plain product, folded batch normalisation against normalisation and convolution."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from lightning_modules.networks.layers.pointwise import NormalisedPointwise, mix_channels


@pytest.mark.parametrize("dimensions", [2, 3])
def test_folded_equals_normalise_then_convolve(dimensions: Literal[2, 3]) -> None:
    torch.manual_seed(0)
    layer = NormalisedPointwise(5, 3, dimensions)
    features = torch.randn(2, 5, *(4, 6, 7)[:dimensions]) * 3 + 1
    trained = layer(features)
    assert torch.equal(trained, layer.conv(layer.norm(features)))
    layer.norm.weight.data.uniform_(0.5, 2)
    layer.norm.bias.data.normal_()
    layer.eval()
    with torch.no_grad():
        expected = layer.conv(layer.norm(features))
        assert torch.allclose(layer(features), expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(expected, trained, atol=0.1)


def test_fixed_statistics_still_train_the_weights() -> None:
    torch.manual_seed(1)
    layer = NormalisedPointwise(2, 3, 2)
    layer.norm.eval()
    layer(torch.randn(1, 2, 4, 4)).square().sum().backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in layer.parameters())


@pytest.mark.parametrize("gradients", [False, True])
def test_mixed_channels_are_the_product_and_are_not_transposed(gradients: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(7, 5, generator=generator, dtype=torch.float64))
    features = torch.randn(2, 11, 5, generator=generator, dtype=torch.float64).mT
    with torch.set_grad_enabled(gradients):
        mixed = mix_channels(weight, features)
    torch.testing.assert_close(mixed, weight @ features, rtol=1e-12, atol=1e-12)
    assert mixed.is_contiguous()
    if gradients:
        assert torch.autograd.gradcheck(mix_channels, (weight, features))
