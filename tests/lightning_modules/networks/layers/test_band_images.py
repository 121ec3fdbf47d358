"""Convolutions on band images against their 3-D forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.band_images import (
    band_neighbours,
    collapse_bands,
    convolve_bands,
    convolve_space,
    sum_of_taps,
)

BATCH, BANDS, FEATURES, SIZE = 2, 5, 4, (6, 3)


def drawn(*shape: int) -> Tensor:
    """Seeded normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def as_images(volume: Tensor) -> Tensor:
    """`B x F x D x H x W` as band images."""
    return volume.transpose(1, 2).flatten(0, 1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_convolutions_equal_the_3d_ones_in_any_memory_layout(layout: torch.memory_format) -> None:
    volume, bias = drawn(BATCH, FEATURES, BANDS, *SIZE), drawn(6)
    images = as_images(volume).contiguous(memory_format=layout)
    space, bands, collapse = drawn(6, FEATURES, 1, 3, 3), drawn(6, FEATURES, 3, 1, 1), drawn(6, FEATURES, BANDS, 1, 1)
    expected = as_images(functional.conv3d(volume, space, bias, padding=(0, 1, 1)))
    torch.testing.assert_close(convolve_space(images, space[:, :, 0], bias), expected, rtol=1e-4, atol=1e-4)
    expected = as_images(functional.conv3d(volume, bands, bias, padding=(1, 0, 0)))
    torch.testing.assert_close(convolve_bands(images, bands[..., 0, 0], bias, BANDS), expected, rtol=1e-4, atol=1e-4)
    expected = functional.conv3d(volume, collapse, bias)[:, :, 0]
    torch.testing.assert_close(collapse_bands(images, collapse[..., 0, 0], bias), expected, rtol=1e-4, atol=1e-4)


def test_neighbours_make_a_3d_convolution_of_a_cube_two_dimensional() -> None:
    cube, kernel, bias = drawn(BATCH, BANDS, *SIZE), drawn(FEATURES, 1, 3, 3, 3), drawn(FEATURES)
    expected = as_images(functional.conv3d(cube[:, None], kernel, bias, padding=1))
    images = convolve_space(band_neighbours(cube), kernel[:, 0], bias)
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("axis", [-1, -2])
def test_sum_of_taps_is_a_zero_padded_convolution(length: int, axis: int) -> None:
    signal = drawn(4, length)
    weights = torch.tensor([0.5, -2.0, 3.0])
    taps = weights[:, None, None] * signal
    summed = sum_of_taps(taps if axis == -1 else taps.mT, axis)
    expected = functional.conv1d(signal[:, None], weights[None, None], padding=1)[:, 0]
    torch.testing.assert_close(summed if axis == -1 else summed.mT, expected)
