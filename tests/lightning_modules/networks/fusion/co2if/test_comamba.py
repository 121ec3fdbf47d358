"""The block around a mixer: its order of operations, its parameters, and mixers nobody knows."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.mixers import (
    MixerName,
)
from tests.lightning_modules.networks.fusion.co2if.mixing import MIXERS, block, guidance, image


@pytest.mark.parametrize("mixer", MIXERS)
def test_a_block_is_norm_mixer_gate_residual_norm_and_feed_forward(mixer: MixerName) -> None:
    network, features = block(mixer, guide_channels=8, token_channels=5), image(8).permute(0, 2, 3, 1)
    with torch.no_grad():
        normal = functional.layer_norm(features, (8,), network.norm.weight, network.norm.bias)
        value, gate = normal @ network.project.weight[:8].T, normal @ network.project.weight[8:].T
        mixed = network.mixer(value.permute(0, 3, 1, 2), guidance()).permute(0, 2, 3, 1)
        middle = features + (network.norm_mixed(mixed) * gate * torch.sigmoid(gate)) @ network.restore.weight.T
        expected = middle + network.feed_forward(middle)
        found = network(features, guidance())
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("expand", [1, 2])
@pytest.mark.parametrize("mixer", MIXERS)
def test_every_parameter_of_a_decoder_block_learns(mixer: MixerName, expand: int) -> None:
    network = block(mixer, guide_channels=8, token_channels=5, weighted=True, expand=expand)
    network(image(8).permute(0, 2, 3, 1), guidance()).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name


@pytest.mark.parametrize("form", ["encoder", "unguided"])
@pytest.mark.parametrize("mixer", MIXERS)
def test_every_parameter_of_other_blocks_learns_and_the_guide_is_heard(mixer: MixerName, form: str) -> None:
    network = block(mixer, guide_channels=8 if form == "encoder" else None)
    guide = Guidance(image(8, 1).requires_grad_()) if form == "encoder" else Guidance()
    network(image(8).permute(0, 2, 3, 1), guide).square().mean().backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in network.parameters())
    if guide.image is not None:
        assert guide.image.grad is not None
        assert bool(guide.image.grad.any())


def test_weights_are_brought_to_the_inner_channels_only_where_these_are_more() -> None:
    assert block("convolution", weighted=True).widen is None
    assert block("convolution", expand=2).widen is None
    wide = block("convolution", expand=2, weighted=True)
    assert isinstance(wide.widen, nn.Conv2d)
    features, weight = image(8).permute(0, 2, 3, 1), image(8, 3)
    with torch.no_grad():
        found = wide(features, Guidance(weight=weight))
        widened, wide.widen = wide.widen(weight), None
        torch.testing.assert_close(found, wide(features, Guidance(weight=widened)))


def test_an_unknown_mixer_gives_a_sentence() -> None:
    with pytest.raises(ValueError, match="mixer 'mamba' is unknown; choose one of convolution, cross_attention"):
        block("mamba")  # type: ignore[arg-type]
