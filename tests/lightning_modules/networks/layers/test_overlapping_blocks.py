"""Blocks cover the image, overlap as told and are averaged."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.overlapping_blocks import restore_in_blocks


@pytest.mark.parametrize("size", [(8, 8), (20, 13), (3, 50), (1, 1), (9, 8)])
def test_blocks_of_an_identity_give_the_image_back(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    shapes: list[tuple[int, ...]] = []

    def keep(block: Tensor) -> Tensor:
        shapes.append(tuple(block.shape[2:]))
        return block

    assert torch.allclose(restore_in_blocks(keep, images, block_size=8, overlap=3), images)
    side = min(max(size), 8)
    counts = [1 + max(0, -(-(length - side) // 5)) for length in size]
    assert shapes == [(side, side)] * (counts[0] * counts[1])


def test_overlapping_pixels_are_the_plain_mean_of_their_blocks() -> None:
    numbers = iter(range(1, 3))
    restored = restore_in_blocks(lambda block: block * 0 + next(numbers), torch.rand(1, 1, 4, 6), 4, 2)
    assert restored[0, 0].tolist() == [[1.0, 1.0, 1.5, 1.5, 2.0, 2.0]] * 4


def test_the_image_is_continued_by_reflection_to_whole_blocks() -> None:
    image = torch.arange(5.0).expand(1, 1, 5, 5)
    seen: list[list[float]] = []

    def look(block: Tensor) -> Tensor:
        seen.append(block[0, 0, 0].tolist())
        return block

    restore_in_blocks(look, image, block_size=4, overlap=1)
    assert seen[:2] == [[0.0, 1.0, 2.0, 3.0], [3.0, 4.0, 3.0, 2.0]]
