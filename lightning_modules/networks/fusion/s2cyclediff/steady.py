"""What a residual block of S2CycleDiff's up path makes of the guiding features, once for all steps of a sampling.

The block's image is joined of what the noise changes and of guiding features, which are the same in every step. Groups
of the norm that lie wholly in them are normalised and convolved once; groups that also hold other channels are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SteadyShare", "steady_share"]


class SteadyShare(NamedTuple):
    """The share of one joined image that does not change, at the channels from `low` to `high`.

    Attributes:
        first: channels of the steady image that belong to a group of the norm with what comes before it.
        last: those with what comes behind it.
        groups: of the norm that are left.
        affine: scale and offset of the norm for the channels left.
        weights: of the first convolution and of the skip for the channels left.
        convolved: what the first convolution makes of the share, with its bias.
        skipped: what the skip makes of it, with its bias.
    """

    first: Tensor
    last: Tensor
    groups: int
    affine: tuple[Tensor, Tensor]
    weights: tuple[Tensor, Tensor]
    convolved: Tensor
    skipped: Tensor

    def added(self, before: Sequence[Tensor], behind: Sequence[Tensor], epsilon: float) -> tuple[Tensor, Tensor]:
        """Return what the first convolution and the skip make of the whole image.

        Args:
            before: what is joined before the steady image, each `B x . x H x W`.
            behind: what is joined behind it.
            epsilon: of the norm.
        """
        rest = torch.cat((*before, self.first, self.last, *behind), dim=1)
        normed = functional.group_norm(rest, self.groups, *self.affine, epsilon)
        active = functional.silu(normed, inplace=True)
        return (
            functional.conv2d(active, self.weights[0], padding=1) + self.convolved,
            functional.conv2d(rest, self.weights[1]) + self.skipped,
        )


def steady_share(
    norm: nn.GroupNorm, convolution: nn.Conv2d, skip: nn.Module, place: int, image: Tensor
) -> SteadyShare | None:
    """Return the share of a steady image in a block, or None where no group of the norm lies wholly in it.

    Args:
        norm: before the first convolution.
        convolution: the first one.
        skip: of the block; a block without a convolution there has no share.
        place: channels of the block's image before the steady image.
        image: the steady image, `B x . x H x W`.
    """
    size = norm.num_channels // norm.num_groups
    low, high = math.ceil(place / size) * size, (place + image.shape[1]) // size * size
    if low >= high or not isinstance(skip, nn.Conv2d):
        return None
    inner = image[:, low - place : high - place]
    normed = functional.group_norm(inner, (high - low) // size, norm.weight[low:high], norm.bias[low:high], norm.eps)
    return SteadyShare(
        first=image[:, : low - place],
        last=image[:, high - place :],
        groups=norm.num_groups - (high - low) // size,
        affine=(_without(norm.weight, 0, low, high), _without(norm.bias, 0, low, high)),
        weights=(_without(convolution.weight, 1, low, high), _without(skip.weight, 1, low, high)),
        convolved=functional.conv2d(
            functional.silu(normed), convolution.weight[:, low:high], convolution.bias, padding=1
        ),
        skipped=functional.conv2d(inner, skip.weight[:, low:high], skip.bias),
    )


def _without(weight: Tensor, dim: int, low: int, high: int) -> Tensor:
    return torch.cat((weight.narrow(dim, 0, low), weight.narrow(dim, high, weight.shape[dim] - high)), dim=dim)
