"""Convolution kernels with weight normalisation (Salimans and Kingma, NeurIPS 2016) for kernels of any dimension.

The parameters carry the names and shapes that `torch.nn.utils.weight_norm` wrote (`weight_g`, `weight_v`, `bias`), so
that checkpoints made with it load. The layer only holds the kernel: a network asks for the normalised kernel once per
forward pass, and may join it with the kernels of linear layers around it before it convolves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["WeightNormKernel", "pointwise_after"]


class WeightNormKernel(nn.Module):
    """Kernel `g * v / |v|` and bias of a convolution; the norm is taken over all axes but the first.

    Args:
        in_channels: channels that enter the convolution.
        out_channels: channels that leave it.
        size: kernel size along each axis of the convolution.
        transposed: kernel of a transposed convolution, whose first axis is the entering channels.
    """

    def __init__(self, in_channels: int, out_channels: int, size: Sequence[int], transposed: bool = False) -> None:
        super().__init__()
        channels = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight_v = nn.Parameter(torch.empty(*channels, *size))
        # PyTorch's own start of a convolution, which the published networks keep.
        bound = 1 / math.sqrt(self.weight_v[0].numel())
        nn.init.uniform_(self.weight_v, -bound, bound)
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))
        self.weight_g = nn.Parameter(self._norm().detach().clone())

    def _norm(self) -> Tensor:
        """Norm of each slice along the first axis, with the kernel's number of axes."""
        norm: Tensor = self.weight_v.flatten(1).norm(dim=1).reshape(-1, *[1] * (self.weight_v.ndim - 1))
        return norm

    def forward(self) -> Tensor:
        """Compute the normalised kernel, shaped as `torch.nn.functional` convolutions expect it."""
        return self.weight_v * (self.weight_g / self._norm())


def pointwise_after(matrix: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Join a convolution and the channel mixing that follows it, with nothing in between, into one convolution.

    Args:
        matrix: mixing `M x O` of the convolution's outputs.
        kernel: kernel of the convolution, `O x I x ...`.
        bias: bias of the convolution, `O`.

    Returns:
        Kernel `M x I x ...` and bias `M` of the joint convolution.
    """
    return (matrix @ kernel.flatten(1)).unflatten(1, kernel.shape[1:]), matrix @ bias
