"""The parts of Restormer (Zamir et al., CVPR 2022, arXiv 2111.09881) that PromptIR and MP-HSIR are made of.

All parts map `B x C x H x W` to the same shape. The layer norm leaves its result in channels-last memory order, in
which the convolutions after it and the products of the attention need no copies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["RESTORMER_NAMES", "ChannelLayerNorm", "GatedFeedForward", "RestormerBlock", "TransposedAttention"]

NORM_EPSILON = 1e-12  # of the vectors' lengths in the attention, as in functional.normalize

RESTORMER_NAMES: Sequence[tuple[str, str]] = (
    (r"\.(norm\d)\.body\.", r".\1."),
    (r"\.attn\.qkv_dwconv\.", ".attention.depthwise."),
    (r"\.attn\.project_out\.", ".attention.project."),
    (r"\.attn\.", ".attention."),
    (r"\.ffn\.project_in\.", ".feed_forward.expand."),
    (r"\.ffn\.dwconv\.", ".feed_forward.depthwise."),
    (r"\.ffn\.project_out\.", ".feed_forward.project."),
)
"""Name table (published pattern, ours) of a block's entries, for a network's `official_names`."""


class ChannelLayerNorm(nn.Module):
    """Layer norm over the channels of every pixel.

    With bias it is the usual layer norm. Without, the published `BiasFree` form: the features are divided by their
    standard deviation but their mean is kept.

    Args:
        channels: feature channels C.
        bias: whether the mean is removed and a bias added.
        eps: added to the variance.
    """

    def __init__(self, channels: int, bias: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, features: Tensor) -> Tensor:
        """Normalise `B x C x H x W` features; the result is in channels-last memory order."""
        pixels = features.permute(0, 2, 3, 1)
        if self.bias is not None:
            normed = functional.layer_norm(pixels, self.weight.shape, self.weight, self.bias, self.eps)
        else:
            pixels = pixels.contiguous()
            deviation = torch.rsqrt(pixels.float().var(dim=-1, keepdim=True, correction=0) + self.eps)
            normed = pixels * deviation * self.weight
        return normed.permute(0, 3, 1, 2)


class TransposedAttention(nn.Module):
    """Multi-head attention among channels instead of pixels ("MDTA", Restormer equation 1): linear cost in the pixels.

    The published code normalises queries and keys over the pixels and multiplies values, attention and the output
    projection in turn. Here the lengths divide the small channel-by-channel scores and the projection is merged with
    the attention before it meets the values: the same result with three image-sized tensors fewer.

    Args:
        channels: feature channels; a multiple of `heads`.
        heads: attention heads.
        bias: whether the convolutions have a bias.

    Raises:
        ValueError: when the heads do not divide the channels.
    """

    def __init__(self, channels: int, heads: int, bias: bool = False) -> None:
        super().__init__()
        if heads < 1 or channels % heads:
            raise InputError(
                f"TransposedAttention: {heads} heads do not divide {channels} channels; choose a divisor of them."
            )
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, kernel_size=1, bias=bias)
        self.depthwise = nn.Conv2d(3 * channels, 3 * channels, kernel_size=3, padding=1, groups=3 * channels, bias=bias)
        self.project = nn.Conv2d(channels, channels, kernel_size=1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Attend among the channels of `B x C x H x W` features."""
        batch, channels, height, width = features.shape
        mixed = self.depthwise(self.qkv(features))
        tokens = mixed.permute(0, 2, 3, 1).reshape(batch, height * width, 3 * channels)
        query, key, value = tokens.split(channels, dim=-1)
        attention = self._channel_attention(query, key)
        projection = self.project.weight.view(channels, self.heads, -1).transpose(0, 1)
        merged = (projection @ attention).transpose(1, 2).reshape(batch, channels, channels)
        attended: Tensor = value @ merged.mT
        if self.project.bias is not None:
            attended = attended + self.project.bias
        return attended.view(batch, height, width, channels).permute(0, 3, 1, 2)

    def _channel_attention(self, query: Tensor, key: Tensor) -> Tensor:
        """Softmax weights `B x heads x C/heads x C/heads` of `B x HW x C` queries and keys, in float32."""
        with torch.autocast(query.device.type, enabled=False):
            query, key = (one.float().unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in (query, key))
            query_length = torch.linalg.vector_norm(query, dim=2).clamp_min(NORM_EPSILON)
            key_length = torch.linalg.vector_norm(key, dim=2).clamp_min(NORM_EPSILON)
            scores = query.mT @ key / (query_length[..., :, None] * key_length[..., None, :])
            return torch.softmax(scores * self.temperature, dim=-1)


class GatedFeedForward(nn.Module):
    """Gated feed-forward network with depthwise convolutions ("GDFN", Restormer equation 2).

    Args:
        channels: feature channels.
        expansion: hidden over feature channels, rounded down to whole channels.
        bias: whether the convolutions have a bias.
    """

    def __init__(self, channels: int, expansion: float = 2.66, bias: bool = False) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.expand = nn.Conv2d(channels, 2 * hidden, kernel_size=1, bias=bias)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, kernel_size=3, padding=1, groups=2 * hidden, bias=bias)
        self.project = nn.Conv2d(hidden, channels, kernel_size=1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        gate, content = self.depthwise(self.expand(features)).chunk(2, dim=1)
        mapped: Tensor = self.project(functional.gelu(gate) * content)
        return mapped


class RestormerBlock(nn.Module):
    """Transformer block: transposed attention, then the gated feed-forward network, each after a norm and with a skip.

    Args:
        channels: feature channels.
        heads: attention heads; must divide the channels.
        expansion: hidden over feature channels of the feed-forward network.
        bias: whether the convolutions have a bias.
        norm_bias: whether the layer norms remove the mean and add a bias.
    """

    def __init__(
        self, channels: int, heads: int, expansion: float = 2.66, bias: bool = False, norm_bias: bool = True
    ) -> None:
        super().__init__()
        self.norm1 = ChannelLayerNorm(channels, norm_bias)
        self.attention = TransposedAttention(channels, heads, bias)
        self.norm2 = ChannelLayerNorm(channels, norm_bias)
        self.feed_forward = GatedFeedForward(channels, expansion, bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        features = features + self.attention(self.norm1(features))
        mapped: Tensor = features + self.feed_forward(self.norm2(features))
        return mapped
