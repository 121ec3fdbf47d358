"""Descriptors of Eq. 9 against torch's unfold."""

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.transfer.descriptors import PatchDescriptors, chroma, image_gradient


def test_descriptor_is_the_unfolded_feature_image(cube: Tensor) -> None:
    image = cube[:3]
    found = PatchDescriptors(image, patch_size=5, chroma_weight=0.25, gradient_weight=0.5)
    features = torch.cat((image, 0.25 * chroma(image), 0.5 * image_gradient(image)))
    padded = functional.pad(features[None], (2, 2, 2, 2), mode="replicate")
    expected = functional.unfold(padded, 5).view(12, 25, -1).permute(2, 1, 0).reshape(-1, 300)
    assert (found.count, found.dimension) == (40 * 44, 300)
    assert torch.equal(found.chunk(0, found.count), expected)
    pixels = torch.tensor([0, 43, 44, 40 * 44 - 1])
    assert torch.equal(found.gather(pixels), expected[pixels])
    assert torch.equal(PatchDescriptors(image).chunk(0, 50), expected[:50]), "the published settings"


def test_chroma_ignores_brightness_and_black_stays_finite() -> None:
    image = torch.tensor([0.4, 0.2, 0.2]).view(3, 1, 1)
    assert torch.allclose(chroma(image, 1e-9).flatten(), torch.tensor([0.5, 0.25, 0.25]))
    assert torch.allclose(chroma(image, 1e-9), chroma(0.5 * image, 1e-9))
    assert chroma(torch.zeros(3, 2, 2)).abs().max() == 0
    assert torch.allclose(chroma(torch.full((3, 1, 1), 0.1)), torch.tensor(0.1 / 0.31))


def test_gradient_of_a_ramp_is_its_slope() -> None:
    ramp = (0.1 * torch.arange(6.0)).view(1, 1, 6).expand(1, 5, 6)
    vertical, horizontal = image_gradient(ramp)
    assert vertical.abs().max() == 0
    assert torch.allclose(horizontal[:, 1:-1], torch.tensor(0.1))
    assert torch.allclose(horizontal[:, 0], torch.tensor(0.05)), "one side of the border pixel is itself"
    assert torch.equal(image_gradient(ramp.transpose(1, 2)), torch.stack((horizontal, vertical)).transpose(1, 2))
