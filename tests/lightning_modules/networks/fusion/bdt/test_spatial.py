"""Direction 1 of BDT: windows pixel by pixel, attention and merging against the published order of operations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.networks.fusion.bdt.spatial import (
    PatchMerging,
    SpatialDirection,
    WindowAttention,
    dilated_windows,
    draw_small,
    from_dilated_windows,
    from_plain_windows,
    plain_windows,
)
from tests.plain.bdt import attend, merged_patches, spatial


def test_windows_hold_neighbours_and_dilated_ones_every_second_pixel() -> None:
    numbers = torch.arange(2 * 32 * 16).view(2, 32, 16, 1)
    plain, dilated = plain_windows(numbers), dilated_windows(numbers)
    assert plain.shape == dilated.shape == (2 * 8, 64, 1)
    for place in range(64):
        down, right = divmod(place, 8)
        # image 1, second row of windows, right column
        assert plain[8 + 3, place, 0] == numbers[1, 8 + down, 8 + right, 0]
        # image 1, lower block, phase (1, 0)
        assert dilated[8 + 4 + 2, place, 0] == numbers[1, 16 + 2 * down + 1, 2 * right, 0]
    assert torch.equal(from_plain_windows(plain, numbers.shape), numbers)
    assert torch.equal(from_dilated_windows(dilated, numbers.shape), numbers)


@pytest.mark.parametrize("scale", [None, 0.5])
def test_attention_is_softmax_of_scaled_products(scale: float | None) -> None:
    torch.manual_seed(0)
    attention, windows = WindowAttention(6, 2, scale), torch.randn(3, 64, 6)
    torch.testing.assert_close(attention(windows), attend(attention, windows), rtol=1e-4, atol=1e-5)
    order = torch.randperm(64)
    torch.testing.assert_close(attention(windows[:, order]), attention(windows)[:, order], rtol=1e-4, atol=1e-5)


def test_merging_takes_the_pixels_of_a_block_column_by_column() -> None:
    torch.manual_seed(1)
    merging, features = PatchMerging(3, 5), torch.randn(2, 4, 6, 3)
    expected = merged_patches(merging, features.flatten(1, 2), 4, 6).view(2, 2, 3, 5)
    torch.testing.assert_close(merging(features), expected)


def test_every_level_equals_the_published_order_of_operations() -> None:
    torch.manual_seed(2)
    direction, images = SpatialDirection(4, (4, 6), 2, None), torch.randn(2, 4, 32, 32)
    with torch.no_grad():
        found, expected = direction(images), spatial(direction, images)
    assert [one.shape for one in found] == [(2, 4, 32, 32), (2, 6, 16, 16)]
    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-4, atol=1e-5)


def test_the_published_start_is_small_and_without_convolutional_bias() -> None:
    torch.manual_seed(3)
    linear, convolution = nn.Linear(200, 200), nn.Conv2d(2, 3, 3)
    kernel = convolution.weight.detach().clone()
    draw_small(nn.Sequential(linear, convolution, nn.Conv2d(3, 3, 1, bias=False)))
    assert float(linear.weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    assert convolution.bias is not None
    assert convolution.bias.tolist() == [0.0] * 3
    assert torch.equal(convolution.weight, kernel)
