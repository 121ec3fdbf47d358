"""BDT, bidirectional dilation transformer (Deng, Deng, Wu, Ran, Wen, IJCAI 2023); the published class is `Bidinet`.

One direction takes both images at full size down in steps of two, the other takes the cube up; features of equal size
meet from the coarsest on. The result is added to the bicubically enlarged cube, which the published code reads from
its data files; here MATLAB's kernel makes it, from the observation's sampling phase, or `forward` is given it.

Accidents of the published code that its weights were trained with, kept by default: the scores of the window attention
are multiplied by 4 instead of divided by the root of a head's channels (`attention_scale=None` corrects it); of the
merges of the x8 network only the first two have their activation (`activation="all"` gives it to all but the last).

The published code wants square images whose size is fixed at construction; here any image is continued by reflection
to multiples of 16 pixels of the cube and the result is cropped. Windows lie on a grid that begins at the image's
corner, so tiles joined together differ slightly from the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.bdt.spatial import WINDOW, SpatialDirection, draw_small
from lightning_modules.networks.fusion.bdt.spectral import SpectralDirection, double, doubled
from lightning_modules.networks.fusion.enlargement import enlarge_from_phase
from lightning_modules.networks.fusion.pair import check_pair, check_positive, mirror_to_multiple, pad_pair
from lightning_modules.networks.layers.restormer import RESTORMER_NAMES

__all__ = ["BDT"]

ACTIVATED = 2
"""Merges with an activation in the published networks, from the coarsest on."""


def _blocks() -> list[tuple[str, str]]:
    """Name table of the three blocks of a stage of direction 1."""
    names = []
    for block in range(3):
        inside = rf"\1.{block}."
        for official, ours in (
            (f"attn{block + 1}", "attention."),
            (f"norm{2 * block + 1}", "norm1."),
            (f"norm{2 * block + 2}", "norm2."),
        ):
            names.append((rf"^(spatial\.stages\.\d)\.{official}\.", inside + ours))
        names.append((rf"^(spatial\.stages\.\d)\.mlp{block + 1}\.fc1\.", inside + "mlp.0."))
        names.append((rf"^(spatial\.stages\.\d)\.mlp{block + 1}\.fc2\.", inside + "mlp.2."))
    return [*names, (r"\.attention\.proj\.", ".attention.project.")]


class BDT(nn.Module):
    """Fuse a low-resolution hyperspectral cube and a high-resolution multispectral image of any size.

    Without arguments this is the published network for 31 bands and x4 (2 668 027 parameters); `BDT(ratio=8)` is the
    published one for x8 (3 952 209).

    Args:
        input_channels: bands C of the cube.
        multispectral_channels: channels c of the multispectral image.
        ratio: pixels of the multispectral image along one of the cube: 2, 4, 8 or a higher power of two.
        dim: feature channels of direction 1 at full size; doubled at each of two levels, then kept.
        spectral_dim: feature channels of direction 2; as published 48 up to x4 and 32 above, if None.
        heads: attention heads; must divide both.
        attention_scale: factor of the window attention's scores; None is the usual inverse root.
        activation: merges with an activation, `published` or `all`.

    Raises:
        ValueError: the ratio is no power of two, the heads do not divide the channels, or a setting is unknown.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^t\.", ""),
        (r"^direction1\.", "spatial."),
        (r"^direction2\.", "spectral."),
        (r"^spectral\.patch_embed\.proj\.", "spectral.conv."),
        *((rf"\.stage{number}\.", f".stages.{number - 1}.") for number in range(1, 5)),
        *((rf"\.downsample{number}\.", f".reductions.{number - 1}.") for number in range(1, 4)),
        *((rf"\.up{number}_\d\.body\.0\.", f".ups.{number - 1}.") for number in range(1, 4)),
        *((rf"^up{number}\.body\.0\.", f"ups.{number - 1}.") for number in range(1, 4)),
        *((rf"^merge{number}\.", f"merges.{number - 1}.") for number in range(1, 5)),
        *RESTORMER_NAMES,
        *_blocks(),
    )

    def __init__(
        self,
        input_channels: int = 31,
        multispectral_channels: int = 3,
        ratio: int = 4,
        dim: int = 48,
        spectral_dim: int | None = None,
        heads: int = 8,
        attention_scale: float | None = 4.0,
        activation: Literal["published", "all"] = "published",
    ) -> None:
        super().__init__()
        check_positive("BDT", input_channels=input_channels, multispectral_channels=multispectral_channels, heads=heads)
        if ratio < 2 or ratio & (ratio - 1):
            raise InputError(f"BDT: ratio {ratio} is not supported; its levels halve, so choose a power of two from 2.")
        width = spectral_dim if spectral_dim is not None else 48 if ratio <= 4 else 32
        if dim % heads or width % heads or min(dim, width) < 1:
            raise InputError(f"BDT: {heads} heads do not divide dim {dim} and spectral_dim {width}; choose a divisor.")
        if activation not in ("published", "all"):
            raise InputError(f"BDT: activation {activation!r} is unknown; choose published or all.")
        self.input_channels, self.multispectral_channels, self.ratio = input_channels, multispectral_channels, ratio
        levels = ratio.bit_length()
        spatial = [dim * 2 ** min(level, 2) for level in range(levels)]
        self.spatial = SpatialDirection(input_channels + multispectral_channels, spatial, heads, attention_scale)
        self.spectral = SpectralDirection(input_channels, width, levels, heads)
        self.ups = nn.ModuleList(double(width) for _ in range(levels - 1))
        self.merges = nn.ModuleList()
        for number, below in enumerate(spatial[::-1]):
            entering = below + width * (1 + (number > 0))
            self.merges.append(_merge(entering, width if number < levels - 1 else input_channels))
        self.activated = levels - 1 if activation == "all" else min(ACTIVATED, levels - 1)
        draw_small(self)

    takes_phase = True
    """Whether `forward` wants to know the sampling phase of the observation."""

    def _enlarge(self, observation: Tensor, phase: float | None) -> Tensor:
        return enlarge_from_phase(observation, self.ratio, phase)

    def forward(
        self,
        observation: Tensor,
        multispectral: Tensor,
        enlarged: Tensor | None = None,
        *,
        phase: float | None = None,
    ) -> Tensor:
        """Fuse.

        Args:
            observation: LR-HSI `B x C x h x w`, nominally in [0, 1].
            multispectral: HR-MSI `B x c x H x W` with `H = ratio h`, `W = ratio w`.
            enlarged: LR-HSI enlarged by other means to `B x C x H x W`.
            phase: where a pixel of the cube lies in its block, from 0 (the first pixel's centre) to ratio - 1; the
                block's middle if None.

        Returns:
            HR-HSI `B x C x H x W`, not clipped.

        Raises:
            ValueError: the images do not fit each other or the network.
        """
        pair = (observation, multispectral)
        check_pair("BDT", *pair, self.input_channels, self.multispectral_channels, self.ratio)
        height, width = multispectral.shape[-2:]
        cube, image = pad_pair(observation, multispectral, self.ratio, 2 * WINDOW)
        enlarged = self._enlarge(observation, phase) if enlarged is None else enlarged
        enlarged = mirror_to_multiple(enlarged, 2 * WINDOW * self.ratio)
        spatial = self.spatial(torch.cat((enlarged, image), dim=1))
        spectral = self.spectral(cube)
        merged: Tensor = self._merged(0, (spatial[-1], spectral[0]))
        for number, up in enumerate(self.ups, start=1):
            merged = self._merged(number, (spatial[-1 - number], spectral[number], doubled(merged, up)))
        return (merged + enlarged)[..., :height, :width]

    def _merged(self, number: int, parts: Sequence[Tensor]) -> Tensor:
        merged: Tensor = self.merges[number](torch.cat(tuple(parts), dim=1))
        return functional.leaky_relu(merged, 0.2) if number < self.activated else merged


def _merge(entering: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(entering, leaving, kernel_size=3, padding=1, bias=False),
        nn.Conv2d(leaving, leaving, kernel_size=5, padding=2, bias=False),
    )
