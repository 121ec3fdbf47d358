"""The parts of FusionMamba's network against the published order of operations."""

from __future__ import annotations

import torch
from torch.nn import functional

from lightning_modules.networks.fusion.fusionmamba.blocks import BandAttention, FusionBlock, Halve, Raise
from tests.plain.fusionmamba import bands, block, raised


def test_a_fusion_block_is_two_scans_two_crossed_ones_and_their_projected_mean() -> None:
    torch.manual_seed(0)
    module, (spatial, spectral) = FusionBlock(5, 2, "auto"), torch.randn(2, 2, 5, 3, 4)
    with torch.no_grad():
        found, expected = module(spatial, spectral), block(module, spatial, spectral, "reference")
        for one, wanted in zip(found, expected, strict=True):
            torch.testing.assert_close(one, wanted, rtol=1e-4, atol=1e-5)
        exchanged = FusionBlock(5, 2, "auto")
        for name, twin in (("spatial", "spectral"), ("spatial_cross", "spectral_cross")):
            exchanged.get_submodule(name).load_state_dict(module.get_submodule(twin).state_dict())
            exchanged.get_submodule(twin).load_state_dict(module.get_submodule(name).state_dict())
        exchanged.out_proj = module.out_proj
        swapped = exchanged(spectral, spatial)
    for one, other in zip(found, (swapped[1], swapped[0], swapped[2]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_halving_sums_blocks_and_raising_joins_the_skip() -> None:
    torch.manual_seed(1)
    halve, raise_size = Halve(3), Raise(6)
    image, skip = torch.randn(2, 3, 4, 6), torch.randn(2, 3, 4, 6)
    with torch.no_grad():
        small = halve(image)
        assert small.shape == (2, 6, 2, 3)
        block_of = image[1, :, 2:4, 4:6]
        expected = (halve.down.weight * block_of).sum((1, 2, 3)) + halve.get_parameter("down.bias")
        torch.testing.assert_close(small[1, :, 1, 2], functional.leaky_relu(expected))
        kept = small.clone()
        torch.testing.assert_close(raise_size(small, skip), raised(raise_size, small, skip))
        assert torch.equal(small, kept)


def test_bands_get_weights_between_zero_and_one_from_their_maxima_alone() -> None:
    torch.manual_seed(2)
    attention, cube = BandAttention(4, 2, "auto"), torch.rand(2, 7, 3, 5)
    with torch.no_grad():
        weights = attention(cube)
        assert weights.shape == (2, 7, 1, 1)
        assert 0 < float(weights.min()) < float(weights.max()) < 1
        torch.testing.assert_close(weights, bands(attention, cube, "reference"), rtol=1e-4, atol=1e-6)
        shuffled = cube.flatten(2)[..., torch.randperm(15)].view_as(cube)
        torch.testing.assert_close(attention(shuffled), weights)
