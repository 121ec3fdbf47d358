"""SERT, the spectral enhanced rectangle transformer (Li et al., CVPR 2023, arXiv 2304.00844), in its base size.

Facts of the published network kept here: the cyclic shift of odd blocks uses no attention mask; the channels of
the two attention halves are shuffled in four groups before they meet the spectral branch; drop path is configured
in the published training code but that code switches the network to `eval()` before every step, so it never acts
and there is none here.

Padding: the published code swaps the two pad amounts (the height's remainder pads the width) and pads only to a
multiple of 16. It therefore runs only on sizes whose two remainders agree and whose padded sides divide by every
window; there the swap is invisible. This network pads each side by its own remainder to the least common multiple
of the windows: the same result on every size the published code accepts, and a result on all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.rectangle_attention import RectangleAttention
from lightning_modules.networks.layers.spectral_memory import SpectralMemory

__all__ = ["SERT"]

SHUFFLE_GROUPS = 4


class RectangleSpectralAttention(nn.Module):
    """Rectangle attention in two orientations (half of the channels each) plus the spectral memory branch."""

    def __init__(
        self, dim: int, window: int, split: int, heads: int, spectral_weight: float, memory_blocks: int, reduction: int
    ) -> None:
        super().__init__()
        self.spectral_weight = spectral_weight
        self.qkv = nn.Linear(dim, 3 * dim)
        self.rectangles = nn.ModuleList(
            RectangleAttention(dim // 2, heads // 2, rectangle) for rectangle in ((window, split), (split, window))
        )
        self.spectral = SpectralMemory(dim, window, slots=memory_blocks, reduction=reduction)
        self.project = nn.Linear(dim, dim)

    def forward(self, features: Tensor) -> Tensor:
        """Attend within the windows of `B x H x W x C` features."""
        qkv = self.qkv(features).unflatten(-1, (3, 2, -1))
        halves = [attend(qkv[..., half, :]) for half, attend in enumerate(self.rectangles)]
        joined = torch.cat(halves, dim=-1)
        shuffled = joined.unflatten(-1, (SHUFFLE_GROUPS, -1)).transpose(-1, -2).flatten(-2)
        mixed: Tensor = self.project(torch.add(shuffled, self.spectral(features), alpha=self.spectral_weight))
        return mixed


class SERTBlock(nn.Module):
    """Transformer block: attention on (cyclically shifted) windows, then a two-layer perceptron, both with a skip."""

    def __init__(self, attention: RectangleSpectralAttention, dim: int, shift: int, mlp_ratio: float) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attention = attention
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape."""
        attended = self.norm1(features)
        if self.shift:
            attended = self.attention(attended.roll((-self.shift, -self.shift), dims=(1, 2)))
            attended = attended.roll((self.shift, self.shift), dims=(1, 2))
        else:
            attended = self.attention(attended)
        features = features + attended
        updated: Tensor = features + self.mlp(self.norm2(features))
        return updated


class SERTGroup(nn.Module):
    """Blocks of one window size, a 3 x 3 convolution and a skip over the group."""

    def __init__(self, blocks: Sequence[SERTBlock], dim: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.conv = nn.Conv2d(dim, dim, kernel_size=3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape."""
        # The permuted view is a channels-last image: convolution without copies.
        convolved: Tensor = self.conv(self.blocks(features).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return features + convolved


class SERT(nn.Module):
    """Spectral enhanced rectangle transformer for cubes of a fixed number of bands; any height, width and batch.

    Without arguments this is the published `sert_base` for 31 bands (1 905 319 parameters). A compact network that
    trains on a CPU: `SERT(dim=32, window_sizes=(8, 16), depths=(2, 2), num_heads=(2, 2), split_sizes=(1, 2))`.

    Args:
        input_channels: spectral bands C of the cube.
        dim: feature channels; must divide by 4, by twice the heads of a half and by `memory_reduction`.
        window_sizes: side of the square windows, in pixels, of each group.
        depths: blocks of each group.
        num_heads: attention heads of each group, even: one half per rectangle orientation.
        split_sizes: short side, in pixels, of each group's rectangles; the long side is the window.
        mlp_ratio: hidden over feature channels of the perceptrons.
        spectral_weight: factor of the spectral memory branch (published name: `weight_factor`).
        memory_blocks: vectors in the spectral memory.
        memory_reduction: `dim` over the memory's rank (published name: `down_rank`).
        initialisation: initial weights: `published`, or `identity`, which starts with the observation as the restored
            cube and features that copy the bands, and trains compact networks in a quarter of the steps.

    Raises:
        ValueError: when the groups' settings differ in length, the sizes do not divide as required, or the
            initialisation is unknown.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"\.smsblock\.", ".blocks."),
        (r"\.mlp\.fc1\.", ".mlp.0."),
        (r"\.mlp\.fc2\.", ".mlp.2."),
        (r"\.attns\.attns\.(\d)\.get_v\.", r".attention.rectangles.\1.position."),
        (r"\.attns\.c_attns\.cab\.0\.", ".attention.spectral.squeeze."),
        (r"\.attns\.c_attns\.cab\.2\.", ".attention.spectral.expand."),
        (r"\.attns\.c_attns\.cab\.3\.mb$", ".attention.spectral.memory"),
        (r"\.attns\.c_attns\.cab\.3\.subnet\.0\.", ".attention.spectral.to_rank."),
        (r"\.attns\.c_attns\.cab\.3\.upnet\.0\.", ".attention.spectral.to_gate."),
        (r"\.attns\.qkv\.", ".attention.qkv."),
        (r"\.attns\.proj\.", ".attention.project."),
        (r"^output\.", "conv_features."),
        (r"^conv_delasta\.", "conv_last."),
    )

    def __init__(
        self,
        input_channels: int = 31,
        dim: int = 96,
        window_sizes: Sequence[int] = (16, 32, 32),
        depths: Sequence[int] = (6, 6, 6),
        num_heads: Sequence[int] = (6, 6, 6),
        split_sizes: Sequence[int] = (1, 2, 4),
        mlp_ratio: float = 2.0,
        spectral_weight: float = 0.1,
        memory_blocks: int = 128,
        memory_reduction: int = 8,
        initialisation: Literal["published", "identity"] = "published",
    ) -> None:
        super().__init__()
        self.input_channels = input_channels
        groups = list(zip(window_sizes, depths, num_heads, split_sizes, strict=False))
        if len({len(window_sizes), len(depths), len(num_heads), len(split_sizes)}) != 1 or not groups:
            raise InputError(
                f"SERT: window_sizes {list(window_sizes)}, depths {list(depths)}, num_heads {list(num_heads)} and "
                f"split_sizes {list(split_sizes)} differ in length; give each one value per group."
            )
        for window, _, heads, split in groups:
            _check_sizes(dim, window, heads, split, memory_reduction)
        self.multiple = math.lcm(*window_sizes)
        self.conv_first = nn.Conv2d(input_channels, dim, kernel_size=3, padding=1)
        self.layers = nn.ModuleList()
        for window, depth, heads, split in groups:
            blocks = []
            for index in range(depth):
                attention = RectangleSpectralAttention(
                    dim, window, split, heads, spectral_weight, memory_blocks, memory_reduction
                )
                blocks.append(SERTBlock(attention, dim, window // 2 if index % 2 else 0, mlp_ratio))
            self.layers.append(SERTGroup(blocks, dim))
        self.conv_features = nn.Conv2d(dim, dim, kernel_size=3, padding=1, bias=False)
        self.conv_last = nn.Conv2d(dim, input_channels, kernel_size=3, padding=1)
        if initialisation not in ("published", "identity"):
            raise InputError(f"SERT: initialisation {initialisation!r} is unknown; choose 'published' or 'identity'.")
        self.apply(_initialise)
        if initialisation == "identity":
            self._start_as_identity()

    @torch.no_grad()
    def _start_as_identity(self) -> None:
        """Replace the published start by one whose output is its input and whose features are the bands themselves."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
        for group in self.layers:
            nn.init.normal_(cast("SERTGroup", group).conv.weight, std=0.01)
        for conv, share in ((self.conv_first, 1.0), (self.conv_features, 0.5)):
            noise = torch.empty_like(conv.weight).normal_(std=0.02 * share)
            nn.init.dirac_(conv.weight).mul_(share).add_(noise)
        nn.init.zeros_(self.conv_last.weight)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: degraded cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x H x W`, not clipped.
        """
        height, width = observation.shape[-2:]
        padded = pad_to_multiple(observation, self.multiple)
        shallow = self.conv_first(padded)
        features = shallow.permute(0, 2, 3, 1).contiguous()
        for layer in self.layers:
            features = layer(features)
        deep = self.conv_features(features.permute(0, 3, 1, 2) + shallow)
        restored: Tensor = self.conv_last(deep) + padded
        return restored[..., :height, :width]


def _check_sizes(dim: int, window: int, heads: int, split: int, reduction: int) -> None:
    """Refuse group settings that cannot be built, in one sentence."""
    if heads % 2 or dim % heads or dim % SHUFFLE_GROUPS or dim % reduction:
        raise InputError(
            f"SERT: dim {dim} does not divide by num_heads {heads} (even), by {SHUFFLE_GROUPS} and by "
            f"memory_reduction {reduction}; choose a dim that all of them divide."
        )
    if window % split or window % 2:
        raise InputError(
            f"SERT: split size {split} does not divide window size {window}, or the window is odd; "
            "choose even windows that their split sizes divide."
        )


def _initialise(module: nn.Module) -> None:
    """Draw the published initial weights: Kaiming (fan out) convolutions, linear layers N(0, 0.001^2)."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=1e-3)
        nn.init.zeros_(module.bias)
