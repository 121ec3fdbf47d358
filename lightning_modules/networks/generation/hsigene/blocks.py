"""The blocks that HSIGene's UNet, its adapters and its autoencoder share (latent diffusion, Rombach et al., 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Downsample", "GatedFeedForward", "ResidualBlock", "SpatialTransformer", "Upsample", "timestep_features"]


def timestep_features(timesteps: Tensor, channels: int, longest: float = 10000.0) -> Tensor:
    """Return the cosines, then sines, of the timesteps at geometrically falling frequencies.

    Args:
        timesteps: B numbers.
        channels: an even number of features.
        longest: ratio of the highest to the (excluded) lowest frequency.

    Returns:
        B x channels, float32.
    """
    half = channels // 2
    frequencies = torch.exp(-math.log(longest) * torch.arange(half, device=timesteps.device) / half)
    angles = timesteps.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class ResidualBlock(nn.Module):
    """Two normalised 3 x 3 convolutions with a skip; the embedding, where there is one, is added between them.

    Args:
        channels: of the input.
        out_channels: of the output; a 1 x 1 convolution fits the skip if they differ.
        embedding: width of the time embedding; None for the autoencoder, which has no time.
        groups: of the group normalisations.
        epsilon: of the group normalisations: 1e-5 in the UNet, 1e-6 in the autoencoder.
    """

    def __init__(
        self, channels: int, out_channels: int, embedding: int | None, groups: int, epsilon: float = 1e-5
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, epsilon)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.embed = None if embedding is None else nn.Linear(embedding, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, epsilon)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, features: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Map `B x channels x h x w` features, and a `B x E` embedding, to `B x out_channels x h x w`."""
        inner = self.conv1(functional.silu(self.norm1(features)))
        if self.embed is not None and embedding is not None:
            inner = inner + self.embed(functional.silu(embedding))[..., None, None]
        changed: Tensor = self.skip(features) + self.conv2(functional.silu(self.norm2(inner)))
        return changed


class Downsample(nn.Module):
    """A 3 x 3 convolution of stride 2 on zero-padded features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Halve both sides of `B x channels x h x w`."""
        halved: Tensor = self.conv(features)
        return halved


class Upsample(nn.Module):
    """Nearest neighbours, then a 3 x 3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Double both sides of `B x channels x h x w`."""
        doubled: Tensor = self.conv(functional.interpolate(features, scale_factor=2.0, mode="nearest"))
        return doubled


class GatedFeedForward(nn.Module):
    """Linear, GELU-gated (GEGLU, Shazeer 2020), linear."""

    def __init__(self, channels: int, out_channels: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(channels, 2 * hidden)
        self.contract = nn.Linear(hidden, out_channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `... x channels` to `... x out_channels`."""
        value, gate = self.expand(tokens).chunk(2, dim=-1)
        contracted: Tensor = self.contract(value * functional.gelu(gate))
        return contracted


class TokenAttention(nn.Module):
    """Multi-head attention of tokens to a context (or to themselves), without biases before the output."""

    def __init__(self, channels: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(context, channels, bias=False)
        self.value = nn.Linear(context, channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Let `B x N x channels` tokens attend to a `B x M x context` context."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(tokens), self.key(context), self.value(context))
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return projected


class SpatialTransformer(nn.Module):
    """One transformer block over the pixels: self-attention, attention to the context, gated feed-forward.

    Args:
        channels: of the features.
        context: width of the context tokens.
        heads: of both attentions.
        groups: of the group normalisation.
    """

    def __init__(self, channels: int, context: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, 1e-6)
        self.project_in = nn.Conv2d(channels, channels, 1)
        self.norm1 = nn.LayerNorm(channels)
        self.self_attention = TokenAttention(channels, channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.cross_attention = TokenAttention(channels, context, heads)
        self.norm3 = nn.LayerNorm(channels)
        self.feed_forward = GatedFeedForward(channels, channels, 4 * channels)
        self.project_out = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Map `B x channels x h x w` features, with `B x M x context` tokens, to features of the same shape."""
        size = features.shape[-2:]
        tokens = self.project_in(self.norm(features)).flatten(2).transpose(1, 2)
        normed = self.norm1(tokens)
        tokens = tokens + self.self_attention(normed, normed)
        tokens = tokens + self.cross_attention(self.norm2(tokens), context)
        tokens = tokens + self.feed_forward(self.norm3(tokens))
        changed: Tensor = features + self.project_out(tokens.transpose(1, 2).unflatten(2, size))
        return changed
