"""The denoiser behind HIR-Diff: an SR3-style UNet of three channels (Saharia et al., 2021; Pang et al., CVPR 2024).

The published weights are those of an unconditional model of aerial RGB images, I190000_E97_gen.pth of ddpm-cd.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["HIRDiffUNet"]


class HIRDiffUNet(nn.Module):
    """Predict the noise in a three-channel image from the image and its noise level.

    Attention sits where a counter that starts at `image_size` and halves with every level reaches one of
    `attention_sizes`, whatever the true size of the input, and after the first of the two middle blocks.

    Args:
        channels: of the image.
        width: of the first level.
        multipliers: of the width, one a level.
        attention_sizes: values of the counter at which blocks attend.
        blocks: residual blocks a level on the way down; one more on the way up.
        groups: of the group normalisations.
        dropout: share, before the second convolution of each block, in training alone.
        image_size: where the counter starts.
    """

    official_names = (
        (r"^denoise_fn\.", ""),
        (r"^noise_level_mlp\.1\.", "level.expand."),
        (r"^noise_level_mlp\.3\.", "level.contract."),
        (r"^init_conv\.", "enter."),
        (r"^downs\.", "down."),
        (r"^mid\.", "middle."),
        (r"^ups\.", "up."),
        (r"\.res_block\.noise_func\.noise_func\.0\.", ".residual.embed."),
        (r"\.res_block\.block1\.block\.0\.", ".residual.norm1."),
        (r"\.res_block\.block1\.block\.3\.", ".residual.conv1."),
        (r"\.res_block\.block2\.block\.0\.", ".residual.norm2."),
        (r"\.res_block\.block2\.block\.3\.", ".residual.conv2."),
        (r"\.res_block\.res_conv\.", ".residual.skip."),
        (r"\.attn\.", ".attention."),
        (r"^final_conv\.block\.0\.", "leave.0."),
        (r"^final_conv\.block\.3\.", "leave.2."),
    )
    """Published names and ours, see `lightning_modules.checkpoints`."""

    def __init__(
        self,
        channels: int = 3,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 4, 8, 8),
        attention_sizes: Sequence[int] = (16,),
        blocks: int = 2,
        groups: int = 32,
        dropout: float = 0.2,
        image_size: int = 256,
    ) -> None:
        super().__init__()
        self.size_multiple = 2 ** (len(multipliers) - 1)
        self.level = _LevelEmbedding(width)
        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        current, skips, size = width, [width], image_size
        for index, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                self.down.append(_Block(current, width * multiplier, width, groups, dropout, size in attention_sizes))
                current = width * multiplier
                skips.append(current)
            if index < len(multipliers) - 1:
                self.down.append(_Down(current))
                skips.append(current)
                size //= 2
        self.middle = nn.ModuleList(
            _Block(current, current, width, groups, dropout, attends) for attends in (True, False)
        )
        for index, multiplier in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                self.up.append(
                    _Block(current + skips.pop(), width * multiplier, width, groups, dropout, size in attention_sizes)
                )
                current = width * multiplier
            if index > 0:
                self.up.append(_Up(current))
                size *= 2
        self.leave = nn.Sequential(nn.GroupNorm(groups, current), nn.SiLU(), nn.Conv2d(current, channels, 3, padding=1))

    def forward(self, image: Tensor, level: Tensor) -> Tensor:
        """Predict noise.

        Args:
            image: `B x channels x H x W`, sides divisible by `size_multiple`.
            level: noise level of each image, `B`.

        Returns:
            The noise, like the image.

        Raises:
            InputError: when the sides are not divisible.
        """
        if any(side % self.size_multiple for side in image.shape[-2:]):
            raise InputError(
                f"HIRDiffUNet got an image of {image.shape[-2]} x {image.shape[-1]} pixels; pad it to multiples of "
                f"{self.size_multiple}."
            )
        embedding = self.level(level)
        features = self.enter(image)
        skips = [features]
        for block in self.down:
            features = block(features, embedding)
            skips.append(features)
        for block in self.middle:
            features = block(features, embedding)
        for block in self.up:
            if isinstance(block, _Block):
                features = torch.cat([features, skips.pop()], dim=1)
            features = block(features, embedding)
        predicted: Tensor = self.leave(features)
        return predicted


class _LevelEmbedding(nn.Module):
    """Sines and cosines of a noise level at geometrically falling frequencies, then two linear maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, level: Tensor) -> Tensor:
        count = self.width // 2
        falling = torch.arange(count, dtype=level.dtype, device=level.device) / count
        angles = level[:, None] * torch.exp(-math.log(1e4) * falling)
        embedded: Tensor = self.contract(functional.silu(self.expand(torch.cat([angles.sin(), angles.cos()], dim=-1))))
        return embedded


class _Block(nn.Module):
    """A residual block to which the level is added, and attention after it where asked for."""

    def __init__(
        self, channels: int, out_channels: int, embedding: int, groups: int, dropout: float, attends: bool
    ) -> None:
        super().__init__()
        self.residual = _Residual(channels, out_channels, embedding, groups, dropout)
        self.attention = _Attention(out_channels, groups) if attends else nn.Identity()

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        changed: Tensor = self.attention(self.residual(features, embedding))
        return changed


class _Residual(nn.Module):
    """Two normalised 3 x 3 convolutions beside a shortcut."""

    def __init__(self, channels: int, out_channels: int, embedding: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Linear(embedding, out_channels)
        self.norm1 = nn.GroupNorm(groups, channels)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        inner = self.conv1(functional.silu(self.norm1(features))) + self.embed(embedding)[..., None, None]
        changed: Tensor = self.skip(features) + self.conv2(self.dropout(functional.silu(self.norm2(inner))))
        return changed


class _Attention(nn.Module):
    """Self-attention of one head over all pixels, added to them."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        query, key, value = (part.flatten(2).mT for part in self.qkv(self.norm(features)).chunk(3, dim=1))
        attended = functional.scaled_dot_product_attention(query, key, value)
        changed: Tensor = features + self.out(attended.mT.unflatten(2, features.shape[-2:]))
        return changed


class _Down(nn.Module):
    """A 3 x 3 convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, features: Tensor, _embedding: Tensor) -> Tensor:
        halved: Tensor = self.conv(features)
        return halved


class _Up(nn.Module):
    """Nearest neighbours, then a 3 x 3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor, _embedding: Tensor) -> Tensor:
        doubled: Tensor = self.conv(functional.interpolate(features, scale_factor=2.0, mode="nearest"))
        return doubled
