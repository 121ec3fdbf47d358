"""The attentions of S2CycleDiff against their products in the published order."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.fusion.s2cyclediff.attention import (
    SelfAttention,
    SpatialCrossAttention,
    SpectralCrossAttention,
    attend,
    reductions,
)
from tests.plain.s2cyclediff import self_attention, spatial_attention, spectral_attention


def test_images_are_reduced_as_often_as_published_and_thrice_at_most() -> None:
    heights = {8: 0, 19: 0, 39: 0, 40: 1, 64: 1, 80: 2, 128: 2, 160: 3, 256: 3, 320: 3, 512: 3, 1024: 3}
    assert {height: reductions(height) for height in heights} == heights


def test_linear_attention_is_pixel_by_pixel() -> None:
    keys, values, queries = torch.randn(3, 2, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    found = attend(keys, values, queries)
    shares = torch.softmax(keys.flatten(2), dim=-1)
    for pixel in range(6):
        expected = torch.zeros(2, 4)
        for channel in range(4):
            gathered = (shares[:, channel, :, None] * values.flatten(2).mT).sum(1)
            expected += queries.flatten(2)[:, channel, pixel, None] * gathered
        torch.testing.assert_close(found.flatten(2)[..., pixel], expected)


def test_self_attention_and_spectral_crossing_equal_the_plain_forms() -> None:
    torch.manual_seed(1)
    image, other = torch.randn(2, 2, 4, 5, 3)
    own, crossing = SelfAttention(4, 2), SpectralCrossAttention(4, 2)
    with torch.no_grad():
        torch.testing.assert_close(own(image, 0.7), self_attention(own, image, 0.7))
        torch.testing.assert_close(
            crossing(image, crossing.values(other), 0.7), spectral_attention(crossing, image, other, 0.7)
        )


@pytest.mark.parametrize("size", [(6, 5), (40, 8), (80, 4)])
def test_spatial_crossing_equals_attention_among_all_pairs_of_reduced_pixels(size: tuple[int, int]) -> None:
    torch.manual_seed(2)
    image, other = torch.randn(2, 2, 4, *size)
    crossing = SpatialCrossAttention(4, 2)
    with torch.no_grad():
        expected = spatial_attention(crossing, image, other, 0.7)
        torch.testing.assert_close(crossing(image, crossing.values(other), 0.7), expected, rtol=1e-3, atol=1e-4)


def test_without_factor_nothing_is_computed() -> None:
    image = torch.full((1, 4, 2, 2), torch.nan)
    assert SelfAttention(4, 2)(image, 0.0) is image
    assert SpatialCrossAttention(4, 2)(image, image, 0.0) is image
    assert SpectralCrossAttention(4, 2)(image, image, 0.0) is image
