"""Named point spread functions: their weights, their place, their matrix beside a mirrored convolution."""

from __future__ import annotations

import math

import pytest
import torch

from datamodules.degradations.point_spread import PointSpread, PointSpreadName, point_spread
from datamodules.degradations.resize import resize_matrix


def mirrored(index: int, size: int) -> int:
    """Half-sample symmetric, by walking back."""
    while not 0 <= index < size:
        index = -1 - index if index < 0 else 2 * size - 1 - index
    return index


@pytest.mark.parametrize(("size", "ratio"), [(8, 4), (12, 3), (5, 5), (8, 1)])
@pytest.mark.parametrize("first", [-6, -1, 0, 2])
def test_the_matrix_is_a_mirrored_weighted_sum(size: int, ratio: int, first: int) -> None:
    spread = PointSpread((0.1, 0.2, 0.3, 0.25, 0.15), first)
    matrix = spread.matrix(size, ratio)
    expected = torch.zeros(size // ratio, size, dtype=torch.float64)
    for block in range(size // ratio):
        for tap, weight in enumerate(spread.weights):
            expected[block, mirrored(block * ratio + first + tap, size)] += weight
    torch.testing.assert_close(matrix, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", ["srlf", "block_centred", "block_mean", "bicubic"])
@pytest.mark.parametrize("ratio", [2, 4, 5, 8])
def test_weights_sum_to_one_and_lie_where_they_should(name: PointSpreadName, ratio: int) -> None:
    spread = point_spread(name, ratio, None, None, None)
    assert sum(spread.weights) == pytest.approx(1.0, abs=1e-14)
    assert spread.weights == pytest.approx(spread.weights[::-1], abs=1e-14)
    assert spread.centre == pytest.approx(0.0 if name == "srlf" else (ratio - 1) / 2, abs=1e-12)
    assert spread.settings() == {"psf_weights": list(spread.weights), "psf_first": spread.first}


@pytest.mark.parametrize(("size", "sigma", "offset"), [(7, 3.0, 0.0), (4, 1.5, 1.5), (5, 0.8, 3.0)])
def test_a_gaussian_is_sampled_around_its_offset(size: int, sigma: float, offset: float) -> None:
    spread = point_spread("gaussian", 4, size, sigma, offset)
    heights = [math.exp(-((spread.first + tap - offset) ** 2) / (2 * sigma**2)) for tap in range(size)]
    assert spread.weights == pytest.approx([height / sum(heights) for height in heights], abs=1e-14)
    assert spread.first + (size - 1) / 2 == pytest.approx(offset, abs=0.5)


def test_an_even_kernel_around_a_pixel_begins_nearer_and_one_tap_is_enough() -> None:
    assert [point_spread("gaussian", 4, 4, 1.0, offset).first for offset in (0.0, 1.0, 2.0, 3.0)] == [-1, 0, 1, 2]
    assert point_spread("gaussian", 4, 1, 1.0, 2.0) == PointSpread((1.0,), 2)


@pytest.mark.parametrize("ratio", [2, 4, 5, 8])
def test_a_block_centred_spread_falls_to_half_at_the_edge_of_its_block(ratio: int) -> None:
    spread = point_spread("block_centred", ratio, None, None, None)
    places = [spread.first + tap - (ratio - 1) / 2 for tap in range(len(spread.weights))]
    heights = [2.0 ** -((place / (ratio / 2)) ** 2) for place in places]
    assert len(places) == 2 * (ratio // 2) * 2 + ratio % 2
    assert spread.weights == pytest.approx([height / sum(heights) for height in heights], abs=1e-14)


def test_the_spread_of_srlf_is_that_of_its_code() -> None:
    heights = [math.exp(-(place**2) / 18) for place in range(-3, 4)]
    spread = point_spread("srlf", 8, None, None, None)
    assert spread.first == -3
    assert spread.weights == pytest.approx([height / sum(heights) for height in heights], abs=1e-14)


def test_reduction_blurs_and_samples_both_axes() -> None:
    spread = point_spread("gaussian", 2, 3, 1.0, 0.5)
    image = torch.rand(1, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = spread.reduction(6, 8, 2).apply(image)
    torch.testing.assert_close(found, spread.matrix(6, 2) @ image @ spread.matrix(8, 2).T, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("size", "ratio"), [(2, 2), (4, 4), (6, 3), (15, 5), (24, 8), (32, 16), (7, 1)])
def test_bicubic_is_matlabs_reduction_to_the_border(size: int, ratio: int) -> None:
    matrix = point_spread("bicubic", ratio, None, None, None).matrix(size, ratio)
    torch.testing.assert_close(matrix, resize_matrix(size, size // ratio), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("block_mean", 4, 3, None, None), "psf block_mean fixes kernel_size, sigma and offset; leave them out"),
        (("gaussian", 4, 3, 1.0, None), "psf gaussian needs kernel_size, sigma and offset; give all three"),
        (("gaussian", 4, 0, 1.0, 0.0), "kernel_size=0, sigma=1.0, offset=0.0; give at least one pixel"),
        (("gaussian", 4, 3, 0.0, 0.0), "a sigma above 0"),
        (("gaussian", 4, 3, 1.0, 3.5), "an offset from 0 to 3"),
    ],
)
def test_what_is_no_point_spread(
    arguments: tuple[PointSpreadName, int, int | None, float | None, float | None], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        point_spread(*arguments)
