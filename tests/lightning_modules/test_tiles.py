"""Restoration in tiles: no seam, every size, every scale."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.tiles import in_tiles


class Enlarging(nn.Module):
    """A pointwise map, then every pixel repeated."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, observation: Tensor) -> Tensor:
        return (2 * observation - 1).repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("size", [(40, 53), (16, 33), (17, 16), (16, 16)])
def test_tiles_of_a_pointwise_network_equal_the_whole(size: tuple[int, int], scale: int) -> None:
    observation = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    whole = in_tiles(Enlarging(scale), observation)
    tiled = in_tiles(Enlarging(scale), observation, tile=16)
    assert tiled.shape == (2, 3, size[0] * scale, size[1] * scale)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-6)


def test_tiles_are_as_large_as_asked_and_blended_without_a_seam() -> None:
    """Each tile's mean is subtracted: tiles disagree, so only blending keeps neighbouring pixels close."""
    sizes = []

    class Centring(nn.Module):
        def forward(self, observation: Tensor) -> Tensor:
            sizes.append(tuple(observation.shape[-2:]))
            return observation - observation.mean()

    ramp = torch.linspace(0, 1, 64).expand(1, 1, 32, 64)
    restored = in_tiles(Centring(), ramp, tile=32)
    assert set(sizes) == {(32, 32)}
    assert len(sizes) == 3
    steps = restored[0, 0].diff(dim=-1)
    assert float(steps.abs().max()) < 0.06
    hard = torch.cat([ramp[..., :32] - ramp[..., :32].mean(), ramp[..., 32:] - ramp[..., 32:].mean()], -1)
    assert float(hard[0, 0].diff(dim=-1).abs().max()) > 0.4


def test_tiles_of_several_inputs_cover_the_same_ground() -> None:
    """A network that adds a fine image to an enlarged coarse one gives the same in tiles as in one piece."""
    generator = torch.Generator().manual_seed(0)
    coarse, fine = torch.rand(1, 3, 20, 37, generator=generator), torch.rand(1, 3, 80, 148, generator=generator)

    def fuse(low: Tensor, high: Tensor) -> Tensor:
        return low.repeat_interleave(4, -1).repeat_interleave(4, -2) + high

    torch.testing.assert_close(in_tiles(fuse, coarse, fine, tile=16), fuse(coarse, fine), rtol=0, atol=1e-6)


def test_inputs_of_other_ground_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^An input of 81 x 80 pixels is no whole multiple of the first one's 20 x 20;"
    ):
        in_tiles(torch.add, torch.rand(1, 1, 20, 20), torch.rand(1, 1, 81, 80), tile=16)
