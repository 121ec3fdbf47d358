"""Mixing channels at every position alone, also behind a batch normalisation, as one multiplication by a matrix."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

__all__ = ["NormalisedPointwise", "mix_channels"]


def mix_channels(weight: Tensor, features: Tensor) -> Tensor:
    """Map `B x C x L` features to `B x D x L` by a matrix `D x C`, without copies.

    `weight @ features` says the same, but for a matrix that has gradients torch transposes all features and the result
    back, within `no_grad` too, to save a gradient of `B x D x C`: at 127 000 positions that took ten times the product.
    """
    return torch.bmm(weight.expand(len(features), -1, -1), features)


class NormalisedPointwise(nn.Module):
    """Mix channels linearly after batch normalisation, without a bias.

    While the statistics are fixed (`eval()`) the normalisation is folded into the matrix, so that
    features are read once.

    Args:
        channels: feature channels entering.
        hidden: feature channels leaving.
        dimensions: 2 for images `B x C x H x W`, 3 for volumes `B x C x bands x H x W`.
    """

    def __init__(self, channels: int, hidden: int, dimensions: Literal[2, 3]) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels) if dimensions == 2 else nn.BatchNorm3d(channels)
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.conv: nn.Conv2d | nn.Conv3d = convolution(channels, hidden, kernel_size=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x channels x ...` features to `B x hidden x ...`."""
        if self.norm.training:
            convolved: Tensor = self.conv(self.norm(features))
            return convolved
        weight, bias = self.folded()
        flat = features.flatten(2)
        product = torch.baddbmm(bias.unsqueeze(-1), weight.expand(len(flat), -1, -1), flat)
        mixed: Tensor = product.unflatten(2, features.shape[2:])
        return mixed

    def folded(self) -> tuple[Tensor, Tensor]:
        """Fold the running statistics into the weights.

        Returns:
            Matrix `hidden x channels` and offset `hidden` of the same linear map.
        """
        norm, matrix = self.norm, self.conv.weight.flatten(1)
        mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        return matrix * scale, matrix @ (norm.bias - mean * scale)
