"""ESSAformer, the efficient transformer for hyperspectral super-resolution (Zhang et al., ICCV 2023).

The published class is called `ESSA`. Features go up to the target's size and down again, three times up in all, with
the same weights at every stage; at each size a block attends with the spectral-correlation kernel of the paper and
mixes the result with its input by convolutions. There is no bicubic skip and no normalisation of the input.

Attention is linear in the number N of pixels. Keys are normalised over the pixels and the result is divided by
sqrt(N), so an output depends on the size of the whole image: restoring tiles and joining them gives other numbers than
restoring the whole image. Compare only results that were made with the same tile setting.

The authors publish no training code. Their checkpoint (Chikusei, x4) keeps a whole pickled module, which is never
loaded here; convert it where their code is importable: `torch.save(torch.load(FILE)["model"].state_dict(), NEW_FILE)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["ESSAformer"]


class SpectralCorrelationAttention(nn.Module):
    """Attention whose kernel compares squared, centred spectra, as in the paper's self-attention of linear cost."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend among the tokens `B x N x C`."""
        q, k, v = functional.linear(tokens, *self._centring()).chunk(3, dim=-1)
        # Under autocast the squares and their sums over all pixels stay float32.
        q, k = q.float().square(), k.float().square()
        k = k / (k.sum(dim=-1, keepdim=True) + 1e-7)
        # Norms over pixels scale a channel and norms over channels a pixel, so both can wait until after the products.
        mixing = (k.mT @ v.to(k.dtype)) / k.norm(dim=-2).clamp_min(1e-12)[..., None]
        scale = 1 / (q.norm(dim=-1, keepdim=True).clamp_min(1e-19) * math.sqrt(tokens.shape[1]))
        attended: Tensor = self.project(torch.addcmul(v.to(scale.dtype), (q @ mixing).to(scale.dtype), scale))
        return attended

    def _centring(self) -> tuple[Tensor, Tensor]:
        """Weight and bias that give queries and keys with zero mean over channels, and the values as they are."""
        centred = []
        for parameter in (self.to_qkv.weight, self.to_qkv.bias):
            q, k, v = parameter.chunk(3)
            centred.append(torch.cat((q - q.mean(dim=0), k - k.mean(dim=0), v)))
        return centred[0], centred[1]


class AttentionBlock(nn.Module):
    """Attention, then three convolutions over the attended features beside the block's input, with a skip."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = SpectralCorrelationAttention(dim)
        self.drop = nn.Dropout2d(dropout)
        self.fuse = nn.Sequential(
            nn.Conv2d(2 * dim, 2 * dim, kernel_size=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(2 * dim, 2 * dim, kernel_size=3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(2 * dim, dim, kernel_size=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        tokens = features.permute(0, 2, 3, 1).flatten(1, 2)
        attended = self.attention(self.norm(tokens)).unflatten(1, features.shape[-2:]).permute(0, 3, 1, 2)
        updated: Tensor = features + self.fuse(torch.cat((self.drop(attended), features), dim=1))
        return updated


def _factors(scale: int) -> list[int]:
    """Step in which the published code changes the size: twos, or one three."""
    return [3] if scale == 3 else [2] * (scale.bit_length() - 1)


class ESSAformer(nn.Module):
    """Enlarge cubes of a fixed number of bands; any height, width and batch.

    Without arguments this is the published network for 31 bands and x4 (11 193 759 parameters).

    Args:
        input_channels: spectral bands C of the cube.
        dim: feature channels; must divide by 4, and for scale 3 by 9.
        scale: spatial factor: 2, 3, 4, 8 or another power of two.
        dropout: probability with which training drops a feature channel, at three places of each block.

    Raises:
        ValueError: when the scale is not supported, or does not divide the feature channels as it must.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^blockup\.convupsample\.", "enlarge."),
        (r"^blockup\.convdownsample\.", "reduce."),
        (r"^blockup\.convup\.", "high."),
        (r"^blockup\.convdown\.", "low."),
        (r"\.conv[ud]\.", ".fuse."),
        (r"\.attn\.lnqkv\.", ".attention.to_qkv."),
        (r"\.attn\.ln\.", ".attention.project."),
    )

    def __init__(self, input_channels: int = 31, dim: int = 256, scale: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        if scale < 2 or (scale != 3 and scale & (scale - 1)):
            raise InputError(f"ESSAformer: scale {scale} is not supported; choose 3 or a power of two such as 4.")
        share = _factors(scale)[0] ** 2
        if dim % share:
            raise InputError(
                f"ESSAformer: dim {dim} does not divide by {share}, which scale {scale} needs; choose a multiple of it."
            )
        self.input_channels = input_channels
        self.scale = scale
        self.conv_first = nn.Conv2d(input_channels, dim, kernel_size=3, padding=1)
        self.high = AttentionBlock(dim, dropout)
        self.low = AttentionBlock(dim, dropout)
        self.enlarge, self.reduce = nn.Sequential(), nn.Sequential()
        for factor in _factors(scale):
            self.enlarge.extend([nn.Conv2d(dim, dim * factor**2, 3, padding=1), nn.PixelShuffle(factor)])
            self.reduce.extend([nn.Conv2d(dim, dim // factor**2, 3, padding=1), nn.PixelUnshuffle(factor)])
        self.conv_last = nn.Conv2d(dim, input_channels, kernel_size=3, padding=1)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: low-resolution cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x scale*H x scale*W`, not clipped.
        """
        # Features innermost in memory: attention then sees its tokens without copies.
        low = self.conv_first(observation.contiguous(memory_format=torch.channels_last))
        high = self.high(self.enlarge(low))
        for _ in range(2):
            low = self.low(self.reduce(high) + low)
            high = self.high(self.enlarge(low) + high)
        restored: Tensor = self.conv_last(high)
        return restored.contiguous()
