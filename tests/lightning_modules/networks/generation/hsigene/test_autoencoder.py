"""The autoencoder against its plain form."""

from __future__ import annotations

import torch

from lightning_modules.networks.generation.hsigene.autoencoder import CubeAutoencoder, ShrinkingConvolution
from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork
from tests.lightning_modules.networks.generation.hsigene.drawn import SIDE, draw
from tests.lightning_modules.networks.generation.hsigene_official import (
    PlainForm,
)


def test_the_autoencoder_is_the_plain_form(network: HSIGeneNetwork, plain: PlainForm) -> None:
    cube, latent = draw(2, 6, SIDE, SIDE), draw(2, 4, 8, 8)
    encoded = plain.encode(2 * cube - 1)
    assert float(encoded.std()) > 0.05
    torch.testing.assert_close(network.encode(cube), 0.18215 * encoded, rtol=1e-4, atol=1e-5)
    decoded = plain.decode(latent / 0.18215)
    assert float(decoded.std()) > 0.05
    expected = (0.5 * decoded + 0.5).clamp(0, 1)
    torch.testing.assert_close(network.decode(latent), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_shrinking_pads_to_the_right_and_below_alone() -> None:
    layer, features = ShrinkingConvolution(2), draw(1, 2, 4, 6)
    found = layer(features)
    assert found.shape == (1, 2, 2, 3)
    weight, bias = layer.conv.weight, layer.get_parameter("conv.bias")
    torch.testing.assert_close(found[0, :, 0, 0], (weight * features[0, :, :3, :3]).sum((1, 2, 3)) + bias)
    corner = (weight[..., :2, :2] * features[0, :, 2:, 4:]).sum((1, 2, 3)) + bias
    torch.testing.assert_close(found[0, :, 1, 2], corner)


@torch.no_grad()
def test_any_size_that_four_divides_and_every_cube_for_itself() -> None:
    torch.manual_seed(0)
    autoencoder = CubeAutoencoder(3, 4, (1, 2, 2), 1, 4, 2, 2)
    cube = draw(2, 3, 8, 12)
    latent = autoencoder.encode(cube)
    assert latent.shape == (2, 2, 2, 3)
    assert autoencoder(cube).shape == cube.shape
    torch.testing.assert_close(autoencoder.encode(cube[1:]), latent[1:], rtol=1e-4, atol=1e-5)
    assert len(list(autoencoder.encoder.levels)) == 3
    attended = [len(level.get_submodule("attention")) for level in autoencoder.encoder.levels]  # type: ignore[arg-type]
    assert attended == [0, 0, 1]
