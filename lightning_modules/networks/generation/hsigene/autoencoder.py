"""HSIGene's autoencoder: 48-band cubes to latent images of a quarter of the side and back (a KL autoencoder)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.generation.hsigene.blocks import ResidualBlock, Upsample

__all__ = ["CubeAutoencoder"]

EPSILON = 1e-6


class ImageAttention(nn.Module):
    """Single-head self-attention over all pixels, with a skip."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, EPSILON)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x channels x h x w` features to features of the same shape."""
        normed = self.norm(features)
        query, key, value = (part(normed).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        attended = functional.scaled_dot_product_attention(query, key, value)
        changed: Tensor = features + self.out(attended.transpose(1, 2).unflatten(2, features.shape[-2:]))
        return changed


class ShrinkingConvolution(nn.Module):
    """A 3 x 3 convolution of stride 2 that is padded to the right and below only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, features: Tensor) -> Tensor:
        """Halve both sides of `B x channels x h x w`."""
        halved: Tensor = self.conv(functional.pad(features, (0, 1, 0, 1)))
        return halved


def _middle(channels: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(channels, channels, None, groups, EPSILON),
        ImageAttention(channels, groups),
        ResidualBlock(channels, channels, None, groups, EPSILON),
    )


class Level(nn.Module):
    """Residual blocks of one size, each with attention behind it where there is any, then a change of size."""

    def __init__(
        self, channels: int, out_channels: int, blocks: int, attended: bool, groups: int, resample: nn.Module
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(channels if block == 0 else out_channels, out_channels, None, groups, EPSILON)
            for block in range(blocks)
        )
        self.attention = nn.ModuleList(ImageAttention(out_channels, groups) for _ in range(blocks if attended else 0))
        self.resample = resample

    def forward(self, features: Tensor) -> Tensor:
        """Map features to those of the next level."""
        for number, block in enumerate(self.blocks):
            features = block(features)
            if len(self.attention):
                features = self.attention[number](features)
        changed: Tensor = self.resample(features)
        return changed


class Encoder(nn.Module):
    """A convolution, levels of falling size, the middle, a normalised convolution."""

    def __init__(
        self, bands: int, widths: Sequence[int], blocks: int, attended: Sequence[bool], out_channels: int, groups: int
    ) -> None:
        super().__init__()
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(bands, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(
            Level(
                widths[max(level - 1, 0)],
                width,
                blocks,
                attended[level],
                groups,
                ShrinkingConvolution(width) if level < last else nn.Identity(),
            )
            for level, width in enumerate(widths)
        )
        self.middle = _middle(widths[last], groups)
        self.norm_out = nn.GroupNorm(groups, widths[last], EPSILON)
        self.conv_out = nn.Conv2d(widths[last], out_channels, 3, padding=1)

    def forward(self, cube: Tensor) -> Tensor:
        """Encode `B x bands x H x W`."""
        features = self.conv_in(cube)
        for level in self.levels:
            features = level(features)
        encoded: Tensor = self.conv_out(functional.silu(self.norm_out(self.middle(features))))
        return encoded


class Decoder(nn.Module):
    """A convolution, the middle, levels of rising size (the last level first), a normalised convolution."""

    def __init__(
        self, bands: int, widths: Sequence[int], blocks: int, attended: Sequence[bool], in_channels: int, groups: int
    ) -> None:
        super().__init__()
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(in_channels, widths[last], 3, padding=1)
        self.middle = _middle(widths[last], groups)
        self.levels = nn.ModuleList(
            Level(
                widths[min(level + 1, last)],
                width,
                blocks + 1,
                attended[level],
                groups,
                Upsample(width) if level else nn.Identity(),
            )
            for level, width in enumerate(widths)
        )
        self.norm_out = nn.GroupNorm(groups, widths[0], EPSILON)
        self.conv_out = nn.Conv2d(widths[0], bands, 3, padding=1)

    def forward(self, encoded: Tensor) -> Tensor:
        """Decode `B x in_channels x h x w`."""
        features = self.middle(self.conv_in(encoded))
        for level in reversed(self.levels):
            features = level(features)
        cube: Tensor = self.conv_out(functional.silu(self.norm_out(features)))
        return cube


class CubeAutoencoder(nn.Module):
    """KL autoencoder of whole cubes in [-1, 1]; the posterior was made deterministic: the latent is its mean.

    Args:
        bands: of the cubes.
        base: channels of the first level.
        multipliers: channels of each level over `base`.
        blocks: residual blocks of an encoder's level; a decoder's has one more.
        inner: channels between the coders and the 1 x 1 convolutions beside the latent.
        latent: channels of the latent.
        groups: of the group normalisations.
    """

    def __init__(
        self,
        bands: int = 48,
        base: int = 64,
        multipliers: Sequence[int] = (1, 2, 4),
        blocks: int = 4,
        inner: int = 96,
        latent: int = 4,
        groups: int = 32,
    ) -> None:
        super().__init__()
        widths = [base * multiplier for multiplier in multipliers]
        # of the nominal sizes 256, 128, 64 only the last has attention
        attended = [level == len(widths) - 1 for level in range(len(widths))]
        self.encoder = Encoder(bands, widths, blocks, attended, 2 * inner, groups)
        self.decoder = Decoder(bands, widths, blocks, attended, inner, groups)
        self.to_moments = nn.Conv2d(2 * inner, 2 * latent, 1)
        self.from_latent = nn.Conv2d(latent, inner, 1)

    def encode(self, cube: Tensor) -> Tensor:
        """Map `B x bands x H x W` in [-1, 1] to the mean latent `B x latent x H/4 x W/4`, unscaled."""
        mean: Tensor = self.to_moments(self.encoder(cube)).chunk(2, dim=1)[0]
        return mean

    def decode(self, latent: Tensor) -> Tensor:
        """Map `B x latent x h x w`, unscaled, to `B x bands x 4h x 4w`, about [-1, 1]."""
        cube: Tensor = self.decoder(self.from_latent(latent))
        return cube

    def forward(self, cube: Tensor) -> Tensor:
        """Encode and decode `B x bands x H x W`."""
        return self.decode(self.encode(cube))
