"""Direction 2 of BDT: attention group by group, enlarging, and every level."""

from __future__ import annotations

import torch

from lightning_modules.networks.fusion.bdt.spectral import (
    ChannelBlock,
    GroupedChannelAttention,
    SpectralDirection,
    double,
    doubled,
)
from tests.plain.bdt import channel_attention, spectral


def lively(module: torch.nn.Module) -> torch.nn.Module:
    """Temperatures other than one."""
    for name, parameter in module.named_parameters():
        if "temperature" in name:
            parameter.data = 1 + 3 * torch.rand(parameter.shape, generator=torch.Generator().manual_seed(0))
    return module


def test_attention_equals_the_published_form_and_groups_do_not_meet() -> None:
    torch.manual_seed(0)
    attention, features = lively(GroupedChannelAttention(6, 2)), torch.randn(2, 6, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(attention(features), channel_attention(attention, features), rtol=1e-4, atol=1e-5)
        changed = features.clone()
        changed[0, :, 3, 3] += 1
        difference = (attention(changed) - attention(features)).abs().sum(1) > 1e-6
    assert bool(difference[0, :8, :8].all())
    assert not bool(difference[0, 8:].any() | difference[0, :, 8:].any() | difference[1].any())


def test_a_black_image_stays_finite() -> None:
    torch.manual_seed(1)
    assert bool(torch.isfinite(ChannelBlock(4, 2)(torch.zeros(1, 4, 8, 8))).all())


def test_doubling_lays_four_channels_out_as_a_block_of_pixels() -> None:
    torch.manual_seed(2)
    convolution, features = double(3), torch.randn(1, 3, 4, 5)
    found, wide = doubled(features, convolution), convolution(features)
    assert found.shape == (1, 3, 8, 10)
    for channel, down, right in ((0, 0, 1), (2, 1, 0), (1, 1, 1)):
        torch.testing.assert_close(found[0, channel, down::2, right::2], wide[0, 4 * channel + 2 * down + right])


def test_every_level_equals_the_published_order_of_operations() -> None:
    torch.manual_seed(3)
    direction, cube = lively(SpectralDirection(5, 4, 2, 2)), torch.rand(2, 5, 8, 16)
    with torch.no_grad():
        found, expected = direction(cube), spectral(direction, cube)
    assert [one.shape for one in found] == [(2, 4, 8, 16), (2, 4, 16, 32)]
    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-4, atol=1e-5)
