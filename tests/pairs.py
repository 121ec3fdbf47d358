"""What the tests of fusion networks share: pairs of images, and gradients beside those of a plain form."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.network_checks import gradients

Pair = tuple[Tensor, Tensor]
PlainPair = Callable[[Any, Tensor, Tensor], Tensor]
"""The published order of operations on the weights of our network, for an observed pair."""


def smooth(shape: tuple[int, int, int, int], seed: int) -> Tensor:
    """Draw images in [0, 1] with structure and noise."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.linspace(0, 6, shape[2])[:, None], torch.linspace(0, 6, shape[3])
    phase = 6 * torch.rand(shape[0], shape[1], 1, 1, generator=generator)
    waves = torch.sin(rows + phase) * torch.cos(columns - phase)
    return (0.5 + 0.4 * waves + 0.1 * torch.rand(shape, generator=generator)).clamp(0, 1)


def pair(bands: int, channels: int, ratio: int, size: tuple[int, int], batch: int = 1, seed: int = 0) -> Pair:
    """Draw an observed pair: a cube `batch x bands x h x w` and an image `batch x channels x ratio h x ratio w`."""
    height, width = size
    image = (batch, channels, ratio * height, ratio * width)
    return smooth((batch, bands, height, width), seed), smooth(image, seed + 1)


def relative(ours: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of what is expected."""
    return float((ours - expected).norm() / expected.norm())


def assert_equal_to_plain(network: nn.Module, plain: PlainPair, images: Pair, tolerance: float = 1e-5) -> None:
    """Compare a network's answer to a pair with that of its plain form."""
    network.eval()
    with torch.no_grad():
        ours, expected = network(*images), plain(network, *images)
    assert ours.shape == (*images[0].shape[:2], *images[1].shape[2:])
    assert relative(ours, expected) <= tolerance


def assert_gradients_equal_to_plain(
    network: nn.Module, plain: PlainPair, images: Pair, without: Collection[str] = (), tolerance: float = 1e-3
) -> None:
    """Compare the gradients of all parameters with those through the plain form, each to its own size."""
    ours = gradients(network, network(*images), without)
    expected = gradients(network, plain(network, *images), without)
    for name, gradient in ours.items():
        scale = float(expected[name].abs().max())
        assert float((gradient - expected[name]).abs().max()) <= tolerance * scale + 1e-7, name


def assert_refuses(network: nn.Module, bands: int, channels: int, ratio: int) -> None:
    """Refuse wrong bands, wrong channels and images of other ground in one sentence each."""
    cube, image = pair(bands, channels, ratio, (4, 4))
    owner = type(network).__name__
    for images, sentence in (
        ((cube[:, 1:], image), f"{owner}: the low-resolution cube has shape .* but the network has {bands} bands"),
        (
            (cube, image[:, 1:]),
            f"{owner}: the multispectral image has shape .* but the network has {channels} channels",
        ),
        ((cube, image[..., 1:]), f"{owner}: the multispectral image has shape .* at ratio {ratio} needs"),
    ):
        with pytest.raises(ValueError, match=sentence):
            network(*images)


def together_and_alone_pairs(network: nn.Module, images: Pair) -> Pair:
    """The pairs of a batch fused together, and fused one by one."""
    network.eval()
    with torch.no_grad():
        singles = [network(cube[None], image[None]) for cube, image in zip(*images, strict=True)]
        return network(*images), torch.cat(singles)


def mirrored(images: Tensor, height: int, width: int) -> Tensor:
    """Continue images at their lower and right end by reflection, edge repeated, as often as necessary."""
    for axis, size in ((-2, height), (-1, width)):
        turned = torch.cat((images, images.flip(axis)), dim=axis)
        times = -(-size // turned.shape[axis])
        images = torch.cat([turned] * times, dim=axis).narrow(axis, 0, size)
    return images


def assert_takes_the_phase(network: nn.Module, bands: int, channels: int, ratio: int) -> None:
    """Ask to know the sampling phase, and answer otherwise for another one."""
    assert network.takes_phase
    network.eval()
    images = pair(bands, channels, ratio, (4, 4))
    with torch.no_grad():
        first, middle = network(*images, phase=0.0), network(*images, phase=(ratio - 1) / 2)
    assert relative(first, middle) > 1e-3
