"""Laying out in four orders against index tables, and adding up as its adjoint."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.cross_scan import DIRECTIONS, cross_merge, cross_scan
from lightning_modules.networks.layers.scan_orders import four_directions

SIZES = [(1, 1), (1, 5), (4, 1), (3, 5)]


def drawn(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_sequences_are_the_pixels_in_the_four_orders(height: int, width: int) -> None:
    orders = four_directions(height, width)
    shared, own = drawn(2, 3, height, width), drawn(2, DIRECTIONS, 3, height, width)
    of_shared, of_own = cross_scan(shared), cross_scan(own)
    assert of_shared.shape == of_own.shape == (2, DIRECTIONS, 3, height * width)
    for way, order in enumerate(orders):
        assert torch.equal(of_shared[:, way], shared.flatten(2)[..., order])
        assert torch.equal(of_own[:, way], own[:, way].flatten(2)[..., order])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_merging_is_the_adjoint_and_puts_every_pixel_back(height: int, width: int) -> None:
    images, sequences = drawn(2, 3, height, width), drawn(2, DIRECTIONS, 3, height * width) - 0.5
    inner = (cross_scan(images) * sequences).sum()
    torch.testing.assert_close((images * cross_merge(sequences, (height, width))).sum(), inner)
    torch.testing.assert_close(cross_merge(cross_scan(images), (height, width)), DIRECTIONS * images)
    own = drawn(2, DIRECTIONS, 3, height, width)
    torch.testing.assert_close(cross_merge(cross_scan(own), (height, width)), own.sum(1))
