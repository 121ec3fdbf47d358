"""HSIGene's local adapter: a second UNet encoder that condition images steer (CRS-Diff, Tang et al., 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.generation.hsigene.blocks import timestep_features
from lightning_modules.networks.generation.hsigene.unet import (
    UNetWidths,
    encoder_stages,
    middle_stage,
    time_embedding,
)

__all__ = ["LocalAdapter"]


class PixelAttention(nn.Module):
    """Self-attention over all pixels with an eighth of the channels as keys, unscaled, with a skip (SAGAN's)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x channels x h x w` features to features of the same shape."""
        query, key, value = (part(features).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        attended = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        changed: Tensor = features + attended.transpose(1, 2).unflatten(2, features.shape[-2:])
        return changed


class FeatureModulation(nn.Module):
    """Pixel attention, then a parameter-free group normalisation that a local feature scales and shifts."""

    def __init__(self, channels: int, local: int, groups: int) -> None:
        super().__init__()
        self.attention = PixelAttention(channels)
        self.norm = nn.GroupNorm(groups, channels, affine=False)
        self.scale = nn.Conv2d(local, channels, 3, padding=1)
        self.shift = nn.Conv2d(local, channels, 3, padding=1)

    def forward(self, features: Tensor, local: Tensor) -> Tensor:
        """Modulate `B x channels x h x w` features by a `B x local x h x w` local feature."""
        modulated: Tensor = self.norm(self.attention(features)) * (1 + self.scale(local)) + self.shift(local)
        return modulated


class ModulatedResidualBlock(nn.Module):
    """The UNet's residual block with feature modulation in place of both normalisations."""

    takes_local_feature = True

    def __init__(self, channels: int, out_channels: int, embedding: int, local: int, groups: int) -> None:
        super().__init__()
        self.modulate1 = FeatureModulation(channels, local, groups)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.embed = nn.Linear(embedding, out_channels)
        self.modulate2 = FeatureModulation(out_channels, local, groups)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, features: Tensor, embedding: Tensor, local: Tensor) -> Tensor:
        """Map `B x channels x h x w` features to `B x out_channels x h x w`."""
        inner = self.conv1(functional.silu(self.modulate1(features, local)))
        inner = inner + self.embed(functional.silu(embedding))[..., None, None]
        changed: Tensor = self.skip(features) + self.conv2(functional.silu(self.modulate2(inner, local)))
        return changed


class FeaturePyramid(nn.Module):
    """Features of the condition images at 1/8, 1/16, ... of their size, one for each level of the adapter."""

    def __init__(self, conditions: int, stem: Sequence[int], levels: Sequence[int]) -> None:
        super().__init__()
        first, second, third = stem
        steps = ((conditions, first, 1), (first, second, 2), (second, second, 1), (second, third, 2), (third, third, 1))
        self.stem = nn.Sequential(
            *(
                module
                for channels, out_channels, stride in steps
                for module in (nn.Conv2d(channels, out_channels, 3, stride, padding=1), nn.SiLU())
            )
        )
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, out_channels, 3, 2, padding=1), nn.SiLU())
            for channels, out_channels in pairwise((third, *levels))
        )
        self.outputs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for channels in levels)

    def forward(self, conditions: Tensor) -> list[Tensor]:
        """Map `B x conditions x 8h x 8w` images to features of `h x w`, `h/2 x w/2`, ..."""
        features, found = self.stem(conditions), []
        for level, output in zip(self.levels, self.outputs, strict=True):
            features = level(features)
            found.append(output(features))
        return found


class LocalAdapter(nn.Module):
    """The part that gives what is added to the UNet's skips and middle, from condition images of twice the cube's side.

    Args:
        widths: the UNet's sizes.
        conditions: channels of the condition images: six RGB slots.
        stem: channels of the pyramid before its levels, at full size, 1/2 and 1/4.
        local: channels of the pyramid's feature for each level of the UNet.
    """

    def __init__(
        self,
        widths: UNetWidths,
        conditions: int = 18,
        stem: Sequence[int] = (32, 64, 128),
        local: Sequence[int] = (192, 256, 384, 512),
    ) -> None:
        super().__init__()
        self.base = widths.base
        self.time_embed = time_embedding(widths)
        self.pyramid = FeaturePyramid(conditions, stem, local)
        self.down, given = encoder_stages(
            widths,
            lambda level, channels, out_channels: ModulatedResidualBlock(
                channels, out_channels, widths.embedding, local[level], widths.groups
            ),
        )
        self.middle = middle_stage(widths)
        self.outputs = nn.ModuleList(nn.Conv2d(channels, channels, 1) for channels in given)
        self.middle_output = nn.Conv2d(given[-1], given[-1], 1)

    def forward(self, latent: Tensor, timesteps: Tensor, context: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
        """Compute the control.

        Args:
            latent: `B x latent x h x w`.
            timesteps: B numbers.
            context: `B x M x context` tokens.
            features: what `pyramid` says of the condition images; the same for every timestep.

        Returns:
            What is added to each of the UNet's skips, from the shallowest, and last to its middle.
        """
        embedding = self.time_embed(timestep_features(timesteps, self.base))
        waiting, control = list(features), []
        hidden = latent
        for stage, output in zip(self.down, self.outputs, strict=True):
            modulated = isinstance(next(stage.children()), ModulatedResidualBlock)
            hidden = stage(hidden, embedding, context, waiting.pop(0) if modulated else None)
            control.append(output(hidden))
        control.append(self.middle_output(self.middle(hidden, embedding, context)))
        return control
