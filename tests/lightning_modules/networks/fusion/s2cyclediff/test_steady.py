"""The share of guiding features in a block against the block over the whole image."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.fusion.s2cyclediff.denoiser import Denoiser, ResidualBlock
from lightning_modules.networks.fusion.s2cyclediff.steady import steady_share


@torch.no_grad()
@pytest.mark.parametrize(
    ("channels", "groups", "shared"),
    [
        ((5, 4, 3), 6, (6, 8)),  # groups at both edges hold other channels, too
        ((4, 4, 4), 6, (4, 8)),
        ((8, 4, 0), 4, (9, 12)),
        ((0, 7, 5), 4, (0, 6)),
    ],
)
def test_a_block_with_a_share_is_the_block(
    channels: tuple[int, int, int], groups: int, shared: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(sum(channels), 6, 5, 2)
    block.block1.norm = torch.nn.GroupNorm(groups, sum(channels))
    torch.nn.init.normal_(block.block1.norm.weight)
    torch.nn.init.normal_(block.block1.norm.bias)
    before, steady, behind = (torch.randn(2, count, 4, 3) for count in channels)
    share = block.share(channels[0], steady)
    assert share is not None
    assert share.weights[0].shape[1] == sum(channels) - (shared[1] - shared[0])
    for step in range(2):
        before, embedding = before + step, torch.randn(2, 5)
        whole = block(torch.cat((before, steady, behind), dim=1), embedding)
        torch.testing.assert_close(block.joined((before,), share, (behind,), embedding), whole, rtol=1e-4, atol=1e-5)
        halves = block.joined(before.split(2, dim=1), share, (behind,), embedding)
        torch.testing.assert_close(halves, whole, rtol=1e-4, atol=1e-5)


def test_there_is_no_share_without_a_whole_group_or_a_convolved_skip() -> None:
    norm, convolution = torch.nn.GroupNorm(2, 12), torch.nn.Conv2d(12, 4, 3, padding=1)
    image = torch.rand(1, 6, 2, 2)
    assert steady_share(norm, convolution, torch.nn.Conv2d(12, 4, 1), 3, image) is None
    assert steady_share(norm, convolution, torch.nn.Identity(), 6, image) is None
    assert steady_share(norm, convolution, torch.nn.Conv2d(12, 4, 1), 6, image) is not None


def test_shares_are_taken_only_where_no_gradients_flow() -> None:
    torch.manual_seed(0)
    network = Denoiser(7, 4, 3, 8, (1, 2), 1, 4, "spectral")
    guiding, image = torch.rand(1, 3, 4, 4), torch.rand(1, 7, 4, 4)
    with torch.no_grad():
        sampled = network.guide(guiding, 0.1)
    trained = network.guide(guiding, 0.1)
    assert len(sampled.shares) == len(trained.shares) == 4
    assert any(sampled.shares)
    assert not any(trained.shares)
    found = [network(image, torch.tensor([0.5]), guide, 0.1) for guide in (sampled, trained)]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)
