"""The UNet, its image space and its training patches."""

import pytest
import torch

from callbacks.guides.denoiser import (
    DATA_DEVIATION,
    DenoisingUNet,
    ImageSpace,
    image_multiple,
    padded_to_multiple,
    random_patches,
    reflected,
)
from hyperalign.seeding import generator_for


def test_image_space_standardises_and_inverts() -> None:
    images = [torch.rand(3, 20, 30, generator=generator_for(0)) ** 3, torch.rand(3, 11, 7, generator=generator_for(1))]
    space = ImageSpace.of(images)
    encoded = torch.cat([space.encode(image).flatten() for image in images])
    assert float(encoded.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(encoded.std(correction=0)) == pytest.approx(DATA_DEVIATION, rel=1e-4)
    torch.testing.assert_close(space.decode(space.encode(images[0])), images[0], atol=1e-5, rtol=0)
    low, high = space.bounds
    assert float(space.encode(torch.zeros(1))) == pytest.approx(low, abs=1e-5)
    assert float(space.encode(torch.ones(1))) == pytest.approx(high, abs=1e-5)


def test_a_constant_proxy_has_a_finite_space() -> None:
    space = ImageSpace.of([torch.full((3, 8, 8), 0.25)])
    torch.testing.assert_close(space.decode(space.encode(torch.full((1,), 0.25))), torch.full((1,), 0.25))


def test_reflection_repeats_mirrored() -> None:
    row = torch.arange(4.0).expand(1, 1, 4)
    assert reflected(row, 1, 11)[0, 0].tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2]
    assert reflected(torch.full((3, 1, 1), 0.5), 2, 5).tolist() == torch.full((3, 2, 5), 0.5).tolist()
    assert reflected(row, 1, 2).shape == (1, 1, 4)
    assert padded_to_multiple(torch.zeros(2, 3, 17, 32), 8).shape == (2, 3, 24, 32)
    assert padded_to_multiple(torch.zeros(2, 3, 1, 8), 8).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_unet_keeps_any_size_that_the_multiple_divides(unshuffle: int) -> None:
    network = DenoisingUNet((8, 16), 1, unshuffle, 0)
    assert network.multiple == image_multiple((8, 16), unshuffle) == 2 * unshuffle
    sample = torch.randn(2, 3, 3 * network.multiple, 5 * network.multiple, generator=generator_for(2))
    assert network(sample, torch.tensor([3, 500])).shape == sample.shape


def test_weights_depend_on_the_seed_only_and_leave_the_global_state() -> None:
    before = torch.get_rng_state()
    first, again, other = (DenoisingUNet((8, 16), 1, 2, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_patches_come_from_every_image_in_every_orientation() -> None:
    ramp = torch.linspace(0.2, 0.4, 16).expand(3, 16, 16)
    patches = random_patches([ramp, ramp + 0.4], 200, 16, generator_for(3))
    assert patches.shape == (200, 3, 16, 16)
    bright = (patches.mean((1, 2, 3)) > 0.5).float().mean()
    assert 0.35 < float(bright) < 0.65
    along = (patches[..., -1] - patches[..., 0]).mean((1, 2))
    across = (patches[..., -1, :] - patches[..., 0, :]).mean((1, 2))
    for slope in (along, across):
        assert 0.15 < float((slope > 0.05).float().mean()) < 0.35
        assert 0.15 < float((slope < -0.05).float().mean()) < 0.35


def test_patches_are_exposed_and_tinted_within_bounds() -> None:
    patches = random_patches([torch.full((3, 8, 8), 0.5)], 100, 4, generator_for(4))
    stops = torch.log2(patches / (1 - patches))  # the odds of 0.5 are 1
    assert 0.3 < float(stops.abs().max()) <= 0.4001
    assert float((stops[:, 0] - stops[:, 1]).abs().max()) <= 0.2001
    assert float((stops[:, 0] - stops[:, 1]).abs().max()) > 0.1
