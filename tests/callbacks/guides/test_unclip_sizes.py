"""Images of any size on a canvas of the model's: nothing moves, tiles cover and blend."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from callbacks.guides.unclip_sizes import Canvas, Fit, canvas_for
from hyperalign.seeding import generator_for

SIZES = [(512, 512), (391, 640), (97, 1200), (1, 5), (768, 768)]


def plan(size: tuple[int, int], fit: Fit, native: int = 768, overlap: float = 0.25) -> Canvas:
    return canvas_for(size, fit, native, 64, 8, overlap)


def blob(size: tuple[int, int], row: float, column: float, width: float = 4.0) -> Tensor:
    """A Gaussian spot, 3 x H x W."""
    rows, columns = torch.arange(size[0])[:, None] - row, torch.arange(size[1]) - column
    return torch.exp(-(rows**2 + columns**2) / (2 * width**2)).expand(3, -1, -1)


def centre(image: Tensor) -> tuple[float, float]:
    """Centre of mass in pixels."""
    mass = image.double().mean(0)
    rows, columns = (torch.arange(length, dtype=torch.float64) for length in mass.shape)
    return float((mass.sum(1) * rows).sum() / mass.sum()), float((mass.sum(0) * columns).sum() / mass.sum())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fit", ["resize", "tiles"])
def test_canvases_have_sides_that_the_network_takes_and_tiles_cover_them(size: tuple[int, int], fit: Fit) -> None:
    canvas = plan(size, fit)
    assert all(length % 64 == 0 for length in (*canvas.size, *canvas.tile))
    covered = torch.zeros(canvas.size)
    for top, left in canvas.corners:
        assert top % 8 == left % 8 == 0
        assert (top + canvas.tile[0], left + canvas.tile[1]) <= canvas.size
        covered[top : top + canvas.tile[0], left : left + canvas.tile[1]] += 1
    assert float(covered.min()) == 1
    image = torch.rand(3, *size, generator=generator_for(0))
    assert canvas.enter(image).shape == (3, *canvas.size)
    assert canvas.leave(canvas.enter(image)).shape == image.shape


def test_resized_scenes_have_the_native_number_of_pixels_and_nearly_their_shape() -> None:
    for size in [(512, 512), (391, 640), (2704, 3376)]:
        canvas = plan(size, "resize")
        assert canvas.size[0] * canvas.size[1] == pytest.approx(768**2, rel=0.08)
        assert canvas.size[0] / canvas.size[1] == pytest.approx(size[0] / size[1], rel=0.1)
    assert not plan((768, 768), "resize").resized


@pytest.mark.parametrize("size", [(391, 640), (1000, 901)])
def test_resizing_and_back_moves_nothing_and_keeps_smooth_images(size: tuple[int, int]) -> None:
    canvas, image = plan(size, "resize"), blob(size, 120.3, 215.8)
    back = canvas.leave(canvas.enter(image))
    assert centre(back) == pytest.approx(centre(image), abs=0.01)
    assert float((back - image).abs().max()) < 0.01


def test_tiles_keep_every_pixel_and_extend_by_reflection() -> None:
    canvas, image = plan((70, 50), "tiles"), torch.rand(3, 70, 50, generator=generator_for(0))
    entered = canvas.enter(image)
    assert torch.equal(canvas.leave(entered), image)
    assert torch.equal(entered[:, :70, 50], image[:, :, 48])
    assert torch.equal(entered[:, 70, :50], image[:, 68, :])


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_tiles_share_at_least_the_overlap_and_blend_back(overlap: float) -> None:
    canvas = plan((391, 1500), "tiles", native=256, overlap=overlap)
    lefts = sorted({left for _, left in canvas.corners})
    assert max(after - before for before, after in pairwise(lefts)) <= 256 * (1 - overlap)
    latents = torch.randn(2, 4, canvas.size[0] // 8, canvas.size[1] // 8, generator=generator_for(0))
    tiles = canvas.tiles(latents, 8)
    assert tiles.shape == (2 * len(canvas.corners), 4, 32, 32)
    assert torch.equal(tiles[len(canvas.corners)], latents[1, :, :32, :32])
    torch.testing.assert_close(canvas.blended(tiles, 8), latents)


def test_what_two_tiles_say_is_cross_faded() -> None:
    canvas = plan((64, 192), "tiles", native=128, overlap=0.5)
    assert canvas.corners == ((0, 0), (0, 64))
    values = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 16)
    faded = canvas.blended(values, 8)[0, 0, 4]
    assert faded[:8].tolist() == [0.0] * 8
    assert faded[16:].tolist() == [1.0] * 8
    assert bool((faded[8:16].diff() > 0.05).all())
