"""Directed scans against one direction after the other, guided and not, and the blocks around them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.networks.fusion.fusionmamba.scan import (
    DirectedScan,
    GuidedMamba,
    ResidualMamba,
    normalised,
)
from tests.plain.fusionmamba import crossed, scan


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize(("ways", "lattice"), [(4, (3, 5)), (4, (1, 1)), (2, (1, 7))])
def test_all_directions_at_once_equal_one_after_the_other(ways: int, lattice: tuple[int, int], guided: bool) -> None:
    torch.manual_seed(0)
    module = DirectedScan(6, ways, guided, state_dim=2)
    image, guide = torch.randn(2, 2, 6, *lattice)
    with torch.no_grad():
        found = module(image, guide if guided else None)
        tokens = image.flatten(2).mT
        expected = scan(module, tokens, guide.flatten(2).mT if guided else None, lattice, "reference")
    torch.testing.assert_close(found, expected.mT.unflatten(2, lattice), rtol=1e-4, atol=1e-5)


def test_images_of_a_batch_do_not_meet_and_the_guide_is_heard() -> None:
    torch.manual_seed(1)
    module, (image, guide) = GuidedMamba(5, 2, "auto"), torch.randn(2, 2, 5, 3, 4)
    with torch.no_grad():
        found = module(image, guide)
        torch.testing.assert_close(module(image[1:], guide[1:]), found[1:])
        assert float((module(image, guide.flip(0)) - found).abs().max()) > 1e-3


def test_blocks_are_norm_scan_and_skip() -> None:
    torch.manual_seed(2)
    image, guide = torch.randn(2, 2, 5, 3, 4)
    residual, guided = ResidualMamba(5, 2, "reference"), GuidedMamba(5, 2, "reference")
    for norm in (residual.norm, guided.norm0, guided.norm1):
        nn.init.normal_(norm.weight)
    with torch.no_grad():
        tokens, other = image.flatten(2).mT, guide.flatten(2).mT
        expected = tokens + scan(residual.scan, residual.norm(tokens), None, (3, 4), "reference")
        torch.testing.assert_close(residual(image).flatten(2).mT, expected, rtol=1e-4, atol=1e-5)
        expected = crossed(guided, tokens, other, (3, 4), "reference")
        torch.testing.assert_close(guided(image, guide).flatten(2).mT, expected, rtol=1e-4, atol=1e-5)


def test_the_norm_is_over_the_channels_of_a_pixel() -> None:
    image = torch.randn(2, 50, 2, 3, generator=torch.Generator().manual_seed(3)) * 5 + 2
    found = normalised(nn.LayerNorm(50), image)
    torch.testing.assert_close(found.mean(1), torch.zeros(2, 2, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.var(1, correction=0), torch.ones(2, 2, 3), atol=1e-4, rtol=0)


def test_half_precision_is_scanned_in_float32_and_other_ways_are_refused() -> None:
    torch.manual_seed(4)
    module, image = DirectedScan(4, state_dim=2), torch.randn(1, 4, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = module(image)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, module(image))
    with pytest.raises(ValueError, match="DirectedScan: ways 3 is not supported; choose 4 for images or 2 for seq"):
        DirectedScan(4, ways=3)
