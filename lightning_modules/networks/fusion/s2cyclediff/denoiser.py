"""A denoiser of S2CycleDiff: an SR3-like U-Net with a second descending branch for what guides it.

What the guiding branch makes does not depend on the noise, so it is computed once for all steps of a sampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.fusion.s2cyclediff.attention import (
    SelfAttention,
    SpatialCrossAttention,
    SpectralCrossAttention,
)
from lightning_modules.networks.fusion.s2cyclediff.steady import SteadyShare, steady_share

__all__ = ["Denoiser", "Guide"]


class Guide(NamedTuple):
    """What guides a denoiser.

    Attributes:
        features: of every layer of the guiding branch, the full size first.
        attended: those that the up path takes with self-attention, in its order.
        values: of the same, what the cross-attentions take.
        shares: what the blocks of the up path make of them, where no gradients flow, in their order.
    """

    features: list[Tensor]
    attended: list[Tensor]
    values: list[Tensor]
    shares: list[SteadyShare | None]


class LevelEmbedding(nn.Module):
    """Sine and cosine of the signal's level at several rates, through two linear layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.count = channels // 2
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.SiLU(), nn.Linear(4 * channels, channels))

    def forward(self, levels: Tensor) -> Tensor:
        """Map levels `B` to embeddings `B x C`."""
        places = torch.arange(self.count, dtype=levels.dtype, device=levels.device) / self.count
        phases = levels[:, None] * torch.exp(-math.log(1e4) * places)
        embedded: Tensor = self.mlp(torch.cat((phases.sin(), phases.cos()), dim=-1))
        return embedded


class NormedConvolution(nn.Module):
    """Group norm, SiLU, convolution."""

    def __init__(self, entering: int, leaving: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, entering)
        self.conv = nn.Conv2d(entering, leaving, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Map `B x C x H x W` to `B x C' x H x W`."""
        mapped: Tensor = self.conv(functional.silu(self.norm(image), inplace=not torch.is_grad_enabled()))
        return mapped


class ResidualBlock(nn.Module):
    """Two normed convolutions around an added embedding, and a skip."""

    def __init__(self, entering: int, leaving: int, embedding: int, groups: int) -> None:
        super().__init__()
        self.noise = nn.Linear(embedding, leaving)
        self.block1 = NormedConvolution(entering, leaving, groups)
        self.block2 = NormedConvolution(leaving, leaving, groups)
        self.skip = nn.Conv2d(entering, leaving, kernel_size=1) if entering != leaving else nn.Identity()

    def forward(self, image: Tensor, embedding: Tensor) -> Tensor:
        """Map `B x C x H x W` to `B x C' x H x W`."""
        return self._ended(self.block1(image), self.skip(image), embedding)

    def share(self, place: int, image: Tensor) -> SteadyShare | None:
        """Return what the block makes of an image that stands behind `place` channels of its own in every step."""
        return steady_share(self.block1.norm, self.block1.conv, self.skip, place, image)

    def joined(
        self, before: Sequence[Tensor], share: SteadyShare, behind: Sequence[Tensor], embedding: Tensor
    ) -> Tensor:
        """Map an image of which a share is known; see `SteadyShare.added`."""
        return self._ended(*share.added(before, behind, self.block1.norm.eps), embedding)

    def _ended(self, mapped: Tensor, skipped: Tensor, embedding: Tensor) -> Tensor:
        ended: Tensor = self.block2(mapped + self.noise(embedding)[..., None, None]) + skipped
        return ended


class GuidingBlock(nn.Module):
    """One normed convolution and a skip; the published block owns a second one that it never uses."""

    def __init__(self, entering: int, leaving: int, groups: int) -> None:
        super().__init__()
        self.block1 = NormedConvolution(entering, leaving, groups)
        self.skip = nn.Conv2d(entering, leaving, kernel_size=1) if entering != leaving else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """Map `B x C x H x W` to `B x C' x H x W`."""
        mapped: Tensor = self.block1(image) + self.skip(image)
        return mapped


class Upsample(nn.Module):
    """Repeat every pixel twice in both directions, then convolve."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Map `B x C x H x W` to `B x C x 2H x 2W`."""
        mapped: Tensor = self.conv(functional.interpolate(image, scale_factor=2, mode="nearest"))
        return mapped


class Denoiser(nn.Module):
    """Predict a clean cube from a noised one beside a condition, under a guide.

    Args:
        entering: channels of condition and noised cube together.
        leaving: bands of the cube.
        guiding: channels of the guide.
        inner: feature channels at full size.
        multipliers: of the feature channels at every level.
        blocks: residual blocks of a level.
        groups: of the group norms; must divide all feature channels.
        cross: kind of the cross-attention.
    """

    def __init__(
        self,
        entering: int,
        leaving: int,
        guiding: int,
        inner: int,
        multipliers: Sequence[int],
        blocks: int,
        groups: int,
        cross: Literal["spatial", "spectral"],
    ) -> None:
        super().__init__()
        kind = SpatialCrossAttention if cross == "spatial" else SpectralCrossAttention
        widths = [inner * multiplier for multiplier in multipliers]
        deep_first = widths[-2::-1]
        self.self_attentions = nn.ModuleList(SelfAttention(width, groups) for width in deep_first)
        self.cross_attentions = nn.ModuleList(kind(width, groups) for width in deep_first)
        self.embedding = LevelEmbedding(inner)
        self.downs = nn.ModuleList([nn.Conv2d(entering, inner, kernel_size=3, padding=1)])
        self.guides = nn.ModuleList([nn.Conv2d(guiding, inner, kernel_size=3, padding=1)])
        kept, width = [inner], inner
        for level, channels in enumerate(widths):
            for _ in range(blocks):
                self.downs.append(ResidualBlock(width, channels, inner, groups))
                self.guides.append(GuidingBlock(width, channels, groups))
                width = channels
                kept.append(width)
            if level < len(widths) - 1:
                self.downs.append(nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1))
                self.guides.append(nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1))
                kept.append(width)
        self.mid = nn.ModuleList(ResidualBlock(width, width, inner, groups) for _ in range(2))
        self.ups = nn.ModuleList()
        for level, channels in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.ups.append(ResidualBlock(width + 2 * kept.pop(), channels, inner, groups))
                width = channels
            if level:
                self.ups.append(Upsample(width))
        self.tail = NormedConvolution(width, leaving, groups)

    def guide(self, image: Tensor, factor: float) -> Guide:
        """Descend with what guides, `B x guiding x H x W`; factor is that of the attention."""
        features: list[Tensor] = []
        for layer in self.guides:
            features.append(layer(features[-1] if features else image))
        waiting = features.copy()
        attended: list[Tensor] = []
        values: list[Tensor] = []
        shares: list[SteadyShare | None] = []
        for number, layer in enumerate(self.ups):
            if isinstance(layer, ResidualBlock):
                feature = waiting.pop()
                behind = 0
                if number and isinstance(self.ups[number - 1], Upsample):
                    cross: Any = self.cross_attentions[len(values)]
                    values.append(cross.values(feature) if factor else feature)
                    attended.append(self.self_attentions[len(attended)](feature, factor))
                    feature, behind = attended[-1], feature.shape[1]
                place = layer.block1.norm.num_channels - feature.shape[1] - behind
                # Training takes one step under a guide, so nothing is spared there.
                shares.append(None if torch.is_grad_enabled() else layer.share(place, feature))
        return Guide(features, attended, values, shares)

    def forward(self, image: Tensor, levels: Tensor, guide: Guide, factor: float) -> Tensor:
        """Predict.

        Args:
            image: condition and noised cube, `B x entering x H x W`; both sides divide by 2 to the levels less one.
            levels: signal's level of each image, `B`.
            guide: from `guide`.
            factor: of the attention.

        Returns:
            Clean cube `B x leaving x H x W`, not clipped.
        """
        embedding = self.embedding(levels)
        features: list[Tensor] = []
        for layer in self.downs:
            image = layer(image, embedding) if isinstance(layer, ResidualBlock) else layer(image)
            features.append(image)
        for layer in self.mid:
            image = layer(image, embedding)
        guiding, shares, attended = guide.features.copy(), iter(guide.shares), 0
        for number, layer in enumerate(self.ups):
            if not isinstance(layer, ResidualBlock):
                image = layer(image)
                continue
            feature, other = features.pop(), guiding.pop()
            if number and isinstance(self.ups[number - 1], Upsample):
                crossed = self.cross_attentions[attended](feature, guide.values[attended], factor)
                before, steady, behind = [image], guide.attended[attended], [crossed]
                attended += 1
            else:
                before, steady, behind = [image, feature], other, []
            share = next(shares)
            if share is None:
                image = layer(torch.cat((*before, steady, *behind), dim=1), embedding)
            else:
                image = layer.joined(before, share, behind, embedding)
        predicted: Tensor = self.tail(image)
        return predicted
