"""The control of condition images against its plain form."""

from __future__ import annotations

import torch

from lightning_modules.networks.generation.hsigene.local_adapter import (
    FeatureModulation,
    FeaturePyramid,
    PixelAttention,
)
from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork
from tests.lightning_modules.networks.generation.hsigene.drawn import SIDE, draw
from tests.lightning_modules.networks.generation.hsigene_official import (
    PlainForm,
)


def test_control_of_condition_images_is_the_plain_form(network: HSIGeneNetwork, plain: PlainForm) -> None:
    text, content, images = draw(2, 77, 16), draw(2, 16), draw(2, 18, 2 * SIDE, 2 * SIDE).sigmoid()
    conditions = network.conditions(text, content, None, images, side=SIDE, strength=0.7)
    latent = draw(2, 4, 8, 8)
    control = network.local_adapter(latent, torch.full((2,), 481), conditions.context, conditions.local)
    expected = plain.control(latent, 481, plain.context(text, content, 0.7), images)
    assert [tuple(one.shape[1:]) for one in control] == [(16, 8, 8)] * 3 + [(16, 4, 4)] + [(32, 4, 4)] * 3
    for found, wanted in zip(control, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_pixels_attend_unscaled_with_an_eighth_of_the_channels() -> None:
    torch.manual_seed(0)
    attention, features = PixelAttention(16), draw(2, 16, 2, 3)
    assert attention.query.out_channels == 2
    query, key, value = (part(features).flatten(2) for part in (attention.query, attention.key, attention.value))
    for pixel in range(6):
        shares = torch.softmax((query[:, :, pixel, None] * key).sum(1), dim=-1)
        expected = features.flatten(2)[..., pixel] + (value * shares[:, None]).sum(-1)
        torch.testing.assert_close(attention(features).flatten(2)[..., pixel], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_local_feature_scales_and_shifts_what_is_normalised() -> None:
    torch.manual_seed(1)
    modulation, features, local = FeatureModulation(8, 3, 4), draw(2, 8, 4, 4), draw(2, 3, 4, 4, seed=2)
    normed = modulation.norm(modulation.attention(features))
    expected = normed + normed * modulation.scale(local) + modulation.shift(local)
    torch.testing.assert_close(modulation(features, local), expected)


@torch.no_grad()
def test_the_pyramid_starts_at_an_eighth_and_halves() -> None:
    pyramid = FeaturePyramid(18, (4, 5, 6), (7, 8, 9))
    found = pyramid(draw(2, 18, 64, 96).sigmoid())
    assert [tuple(one.shape) for one in found] == [(2, 7, 8, 12), (2, 8, 4, 6), (2, 9, 2, 3)]
