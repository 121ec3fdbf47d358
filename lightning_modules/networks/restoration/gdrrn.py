"""GDRRN, the grouped deep recursive residual network (Li et al., BigMM 2018), for hyperspectral super-resolution.

It keeps the size of its input, the low-resolution cube already enlarged by bicubic interpolation: put it behind
`UpsampledInput`. Four 3 x 3 convolutions without bias; the two grouped ones are shared by all recursions.

The published code rectifies in place, so two tensors that are used again are rectified too, and its weights were
trained with that: the cube that is added at the end is `relu(x)` instead of `x`, and the features that every recursion
adds are `relu(f0)` instead of `f0`. `rectified_skips=True` computes these numbers (without changing the caller's
tensor, which the published code does as well); `rectified_skips=False` is the network as the paper draws it. The two
agree on cubes without negative values up to the second effect. The published class raises an error when built (it
names a parent that does not exist); the network here is the one that it describes.

The authors publish no weights; their training code saves whole pickled modules, which are never loaded here. Convert
such a file where it was made: `torch.save(torch.load(FILE)["model"].state_dict(), NEW_FILE)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError

__all__ = ["GDRRN"]


class GDRRN(nn.Module):
    """Refine an enlarged cube of a fixed number of bands; any height, width and batch.

    Without arguments this is the published network for 31 bands (218 880 parameters).

    Args:
        input_channels: spectral bands C of the cube.
        channels: feature channels; must divide by `groups`.
        groups: groups of the recursive convolutions.
        recursions: times that the two recursive convolutions are applied.
        rectified_skips: add rectified tensors at the end and in every recursion, as the published code does by
            accident (module docstring); False adds the tensors themselves.

    Raises:
        ValueError: when the channels do not divide by the groups, or there is no recursion.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^input\.", "conv_first."),
        (r"^conv1\.", "recursive.0."),
        (r"^conv2\.", "recursive.1."),
        (r"^output\.", "conv_last."),
    )

    def __init__(
        self,
        input_channels: int = 31,
        channels: int = 128,
        groups: int = 2,
        recursions: int = 9,
        rectified_skips: bool = True,
    ) -> None:
        super().__init__()
        if channels % groups:
            raise InputError(f"GDRRN: channels {channels} do not divide by groups {groups}; choose a multiple of it.")
        if recursions < 1:
            raise InputError(f"GDRRN: recursions is {recursions}; give at least 1 (published: 9).")
        self.input_channels = input_channels
        self.recursions = recursions
        self.rectified_skips = rectified_skips
        self.conv_first = nn.Conv2d(input_channels, channels, 3, padding=1, bias=False)
        self.recursive = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False) for _ in range(2)
        )
        self.conv_last = nn.Conv2d(channels, input_channels, 3, padding=1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=math.sqrt(2 / (9 * module.out_channels)))

    def forward(self, enlarged: Tensor) -> Tensor:
        """Refine a cube.

        Args:
            enlarged: low-resolution cube at the target's size, `B x C x H x W`, nominally in [0, 1].

        Returns:
            Restored cube `B x C x H x W`, not clipped.
        """
        # Features innermost in memory: convolutions of 128 channels are a fifth faster so.
        rectified = torch.relu(enlarged).contiguous(memory_format=torch.channels_last)
        skip = self.conv_first(rectified)
        if self.rectified_skips:
            enlarged, skip = rectified, torch.relu_(skip)
        grow, refine = self.recursive
        hidden = skip if self.rectified_skips else torch.relu(skip)
        for _ in range(self.recursions):
            # In place on the convolution's own result, which no backward pass needs.
            hidden = torch.relu_(refine(torch.relu_(grow(hidden))).add_(skip))
        restored: Tensor = self.conv_last(hidden)
        return restored.add_(enlarged).contiguous()
