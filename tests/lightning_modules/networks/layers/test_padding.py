"""Reflection padding to whole blocks, also where PyTorch's own refuses."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.layers.padding import pad_to_multiple


def test_nothing_missing_returns_the_input_itself() -> None:
    images = torch.rand(1, 2, 8, 16)
    assert pad_to_multiple(images, 8) is images


@pytest.mark.parametrize("size", [(13, 15), (8, 11), (16, 9)])
def test_large_images_follow_pytorch(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    bottom, right = -size[0] % 8, -size[1] % 8
    expected = functional.pad(images, (0, right, 0, bottom), mode="reflect")
    assert torch.equal(pad_to_multiple(images, 8), expected)


def test_small_images_are_reflected_back_and_forth() -> None:
    images = torch.arange(3.0).expand(1, 1, 1, 3)
    padded = pad_to_multiple(images, 8)
    assert padded.shape == (1, 1, 8, 8)
    assert padded[0, 0, 5].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
