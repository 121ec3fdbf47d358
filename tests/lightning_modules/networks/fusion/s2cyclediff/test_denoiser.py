"""A denoiser of S2CycleDiff against the published order of operations; its embedding of levels, its sizes."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch

from lightning_modules.networks.fusion.s2cyclediff.denoiser import (
    Denoiser,
    GuidingBlock,
    LevelEmbedding,
    ResidualBlock,
    Upsample,
)
from tests.plain.s2cyclediff import convolved, denoised, residual


def denoiser(cross: Literal["spatial", "spectral"], multipliers: tuple[int, ...] = (1, 2, 2)) -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(7, 4, 3, 8, multipliers, 1, 4, cross).eval()


@torch.no_grad()
@pytest.mark.parametrize("factor", [0.0, 0.6])
@pytest.mark.parametrize("cross", ["spatial", "spectral"])
def test_guide_and_prediction_equal_the_plain_form(cross: Literal["spatial", "spectral"], factor: float) -> None:
    network, generator = denoiser(cross), torch.Generator().manual_seed(1)
    image, guiding = torch.randn(2, 7, 8, 12, generator=generator), torch.randn(2, 3, 8, 12, generator=generator)
    levels = torch.tensor([0.3, 0.9])
    guide = network.guide(guiding, factor)
    found = network(image, levels, guide, factor)
    assert found.shape == (2, 4, 8, 12)
    torch.testing.assert_close(found, denoised(network, image, guiding, levels, factor), rtol=1e-3, atol=1e-4)
    again = network(image, levels, guide, factor)
    assert torch.equal(again, found), "a guide serves every step"
    alone = network(image[1:], levels[1:], network.guide(guiding[1:], factor), factor)
    torch.testing.assert_close(alone, found[1:], rtol=1e-4, atol=1e-5)


def test_every_level_has_its_layers() -> None:
    network = denoiser("spectral", (1, 2, 4))
    assert len(network.downs) == len(network.guides) == 1 + 3 + 2
    assert len(network.ups) == 3 * 2 + 2
    assert [layer.block1.norm.num_channels for layer in network.ups if isinstance(layer, ResidualBlock)] == [
        *(32 + 2 * 32, 32 + 2 * 16, 32 + 2 * 16, 16 + 2 * 8, 16 + 2 * 8, 8 + 2 * 8)
    ]
    assert [len(one.get_parameter("norm.weight")) for one in network.self_attentions] == [16, 8]


def test_levels_are_embedded_by_sines_and_cosines_at_falling_rates() -> None:
    torch.manual_seed(2)
    embedding = LevelEmbedding(6)
    level = 0.37
    phases = [level * 10000 ** (-place / 3) for place in range(3)]
    waves = torch.tensor([*(math.sin(one) for one in phases), *(math.cos(one) for one in phases)])
    torch.testing.assert_close(embedding(torch.tensor([level, 0.1]))[0], embedding.mlp(waves))


@torch.no_grad()
def test_blocks_are_their_plain_forms() -> None:
    torch.manual_seed(3)
    image, embedding = torch.randn(2, 4, 3, 5), torch.randn(2, 6)
    for leaving in (4, 8):
        block, guiding = ResidualBlock(4, leaving, 6, 2), GuidingBlock(4, leaving, 2)
        torch.testing.assert_close(block(image, embedding), residual(block, image, embedding))
        torch.testing.assert_close(guiding(image), convolved(guiding.block1, image) + guiding.skip(image))
    upsample = Upsample(4)
    repeated = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(upsample(image), upsample.conv(repeated))
