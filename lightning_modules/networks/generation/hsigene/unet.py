"""HSIGene's noise predictor: the UNet of Stable Diffusion 1.x with a metadata embedding and local control added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightning_modules.networks.generation.hsigene.blocks import (
    Downsample,
    ResidualBlock,
    SpatialTransformer,
    Upsample,
    timestep_features,
)

__all__ = ["ConditionedUNet", "Stage", "UNetWidths", "encoder_stages", "middle_stage", "time_embedding"]


@dataclass(frozen=True)
class UNetWidths:
    """Sizes of the UNet, which the local adapter shares.

    Attributes:
        latent: channels of the latent image.
        base: channels of the first level; the time embedding has four times as many.
        multipliers: channels of each level over `base`.
        blocks: residual blocks of a level on the way down; one more on the way up.
        attended: how many levels, from the first one, have transformers; the middle always has one.
        heads: of the attentions.
        context: width of the context tokens.
        groups: of the group normalisations.
    """

    latent: int = 4
    base: int = 320
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 2
    attended: int = 3
    heads: int = 8
    context: int = 768
    groups: int = 32

    @property
    def embedding(self) -> int:
        """Width of the time embedding."""
        return 4 * self.base

    def residual(self, channels: int, out_channels: int) -> ResidualBlock:
        """Make a residual block with these settings."""
        return ResidualBlock(channels, out_channels, self.embedding, self.groups)

    def transformer(self, channels: int) -> SpatialTransformer:
        """Make a transformer with these settings."""
        return SpatialTransformer(channels, self.context, self.heads, self.groups)


class Stage(nn.ModuleList):
    """Modules that follow each other, each given what it needs."""

    def forward(self, features: Tensor, embedding: Tensor, context: Tensor, local: Tensor | None = None) -> Tensor:
        """Map features with a `B x E` time embedding, `B x M x context` tokens and, for some, a local feature."""
        for module in self:
            if isinstance(module, ResidualBlock):
                features = module(features, embedding)
            elif isinstance(module, SpatialTransformer):
                features = module(features, context)
            elif local is not None and getattr(module, "takes_local_feature", False):
                features = module(features, embedding, local)
            else:
                features = module(features)
        return features


def time_embedding(widths: UNetWidths) -> nn.Sequential:
    """Make the perceptron behind the timestep's features."""
    return nn.Sequential(
        nn.Linear(widths.base, widths.embedding), nn.SiLU(), nn.Linear(widths.embedding, widths.embedding)
    )


def encoder_stages(
    widths: UNetWidths, first_block: Callable[[int, int, int], nn.Module] | None = None
) -> tuple[nn.ModuleList, list[int]]:
    """Make the way down.

    Args:
        widths: sizes.
        first_block: makes the first residual block of a level from (level, channels, out_channels), where it is not
            an ordinary one.

    Returns:
        The stages, and the channels that each of them gives.
    """
    channels = widths.base
    stages, given = nn.ModuleList([Stage([nn.Conv2d(widths.latent, channels, 3, padding=1)])]), [channels]
    for level, multiplier in enumerate(widths.multipliers):
        for block in range(widths.blocks):
            out_channels = multiplier * widths.base
            modules: list[nn.Module] = [
                first_block(level, channels, out_channels)
                if first_block is not None and block == 0
                else widths.residual(channels, out_channels)
            ]
            channels = out_channels
            if level < widths.attended:
                modules.append(widths.transformer(channels))
            stages.append(Stage(modules))
            given.append(channels)
        if level < len(widths.multipliers) - 1:
            stages.append(Stage([Downsample(channels)]))
            given.append(channels)
    return stages, given


def middle_stage(widths: UNetWidths) -> Stage:
    """Make the part at the smallest size."""
    channels = widths.multipliers[-1] * widths.base
    return Stage(
        [widths.residual(channels, channels), widths.transformer(channels), widths.residual(channels, channels)]
    )


class ConditionedUNet(nn.Module):
    """Predicts the noise of a latent image from a timestep, metadata, context tokens and the local adapter's control.

    Args:
        widths: sizes; the published ones by default.
    """

    def __init__(self, widths: UNetWidths) -> None:
        super().__init__()
        self.base = widths.base
        self.time_embed = time_embedding(widths)
        self.down, given = encoder_stages(widths)
        self.middle = middle_stage(widths)
        self.up = nn.ModuleList()
        channels = given[-1]
        for level in reversed(range(len(widths.multipliers))):
            for block in range(widths.blocks + 1):
                out_channels = widths.multipliers[level] * widths.base
                modules: list[nn.Module] = [widths.residual(channels + given.pop(), out_channels)]
                channels = out_channels
                if level < widths.attended:
                    modules.append(widths.transformer(channels))
                if level and block == widths.blocks:
                    modules.append(Upsample(channels))
                self.up.append(Stage(modules))
        self.out = nn.Sequential(
            nn.GroupNorm(widths.groups, channels), nn.SiLU(), nn.Conv2d(channels, widths.latent, 3, padding=1)
        )

    def forward(
        self, latent: Tensor, timesteps: Tensor, metadata: Tensor, context: Tensor, control: Sequence[Tensor]
    ) -> Tensor:
        """Predict the noise.

        Args:
            latent: `B x latent x h x w`; h and w divide by 2 for every level but the last.
            timesteps: B numbers.
            metadata: `B x 4 base`, added to the time embedding.
            context: `B x M x context` tokens.
            control: what the local adapter adds to each skip, from the shallowest, and last to the middle.

        Returns:
            `B x latent x h x w`.
        """
        embedding = self.time_embed(timestep_features(timesteps, self.base)) + metadata
        skips: list[Tensor] = []
        features = latent
        for stage in self.down:
            features = stage(features, embedding, context)
            skips.append(features)
        features = self.middle(features, embedding, context) + control[-1]
        for stage, skip, added in zip(self.up, reversed(skips), reversed(control[:-1]), strict=True):
            features = stage(torch.cat([features, skip + added], dim=1), embedding, context)
        noise: Tensor = self.out(features)
        return noise
