"""Tiles that are blended row by row: equal to the blending in memory, no seam for local networks, bounded memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.streamed_tiles import BlendedTiles
from lightning_modules.tiles import in_tiles


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
