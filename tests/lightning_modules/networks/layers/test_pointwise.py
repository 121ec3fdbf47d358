"""Folded batch normalisation against normalisation and convolution one after the other."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from lightning_modules.networks.layers.pointwise import NormalisedPointwise


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
