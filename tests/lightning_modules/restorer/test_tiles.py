"""Restoration in tiles: no seam, every size, every scale."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.restorer.tiles import BlendedTiles, in_tiles


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


class LocalNetwork(nn.Module):
    """Two 3 x 3 convolutions with zero padding and a residual, then every pixel repeated: a receptive radius of 2."""

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        generator = torch.Generator().manual_seed(1)
        self.kernels = [0.1 * torch.randn(3, 3, 3, 3, generator=generator) for _ in range(2)]

    def forward(self, observation: Tensor) -> Tensor:
        residual = observation
        for kernel in self.kernels:
            residual = nn.functional.conv2d(residual, kernel, padding=1).tanh()
        restored = observation + residual
        return restored.repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)


def streamed(network: nn.Module, observation: Tensor, tile: int) -> Tensor:
    """The restored cube `C x H x W`, put together from the finished rows."""
    blended = BlendedTiles(observation.shape[-2], observation.shape[-1], tile)
    parts: list[Tensor] = []
    for top, left in blended.positions():
        piece = observation[None, :, top : top + tile, left : left + tile]
        finished = blended.add(top, left, network(piece)[0])
        if finished is not None:
            assert finished[0] == sum(part.shape[1] for part in parts)
            parts.append(finished[1])
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("size", [(100, 53), (16, 33), (17, 16), (16, 16), (9, 40), (40, 9)])
def test_rows_equal_the_tiles_blended_in_memory(size: tuple[int, int], scale: int) -> None:
    observation = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    expected = in_tiles(LocalNetwork(scale), observation[None], tile=16)[0]
    found = streamed(LocalNetwork(scale), observation, 16)
    assert found.shape == (3, size[0] * scale, size[1] * scale)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_the_seams_of_a_local_network_stay_small() -> None:
    """The border of a tile is restored without its surroundings, so tiles differ there; blending leaves little."""
    observation = torch.rand(3, 150, 170, generator=torch.Generator().manual_seed(0))
    network = LocalNetwork()
    whole = network(observation[None])[0]
    tiled = streamed(network, observation, 64)
    cut = torch.cat(
        [
            torch.cat([network(part[None])[0] for part in row.split(64, dim=2)], dim=2)
            for row in observation.split(64, dim=1)
        ],
        dim=1,
    )
    seam, hard = float((tiled - whole).abs().max()), float((cut - whole).abs().max())
    assert hard > 0.3
    assert seam < 0.15 * hard
    assert float((tiled - whole).abs().mean()) < 1e-3


def test_one_row_of_tiles_is_held_however_high_the_scene_is() -> None:
    blended = BlendedTiles(4000, 40, 16)
    held, rows = 0, 0
    for top, left in blended.positions():
        finished = blended.add(top, left, torch.ones(2, 16, 16))
        held = max(held, blended._total.numel())
        if finished is not None:
            rows += finished[1].shape[1]
            assert float((finished[1] - 1).abs().max()) < 1e-6
    assert rows == 4000
    assert held == 2 * 16 * 40


def test_nan_stays_at_its_pixel() -> None:
    blended = BlendedTiles(40, 40, 16)
    cube = torch.ones(2, 40, 40)
    cube[1, 13, 14] = torch.nan
    parts = [
        finished[1]
        for top, left in blended.positions()
        if (finished := blended.add(top, left, cube[:, top : top + 16, left : left + 16])) is not None
    ]
    assert torch.cat(parts, dim=1).isnan().nonzero().tolist() == [[1, 13, 14]]


def test_tiles_out_of_order_are_refused() -> None:
    blended = BlendedTiles(40, 40, 16)
    with pytest.raises(ValueError, match=r"^The tile at row 12, column 0 is not the next one of this scene: add"):
        blended.add(12, 0, torch.ones(2, 16, 16))


@pytest.mark.parametrize("size", [(24, 24), (8, 8), (16, 32)])
def test_tiles_of_no_whole_multiple_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"^A tile of 16 x 16 pixels was restored to \d+ x \d+, which is no whole mul"):
        BlendedTiles(40, 40, 16).add(0, 0, torch.ones(2, *size))
