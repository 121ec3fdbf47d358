"""The Mamba block, in one direction (Gu and Dao, arXiv 2312.00752) or two (Zhu et al., "Vision Mamba", 2401.09417).

The bidirectional form is the published one: input projection, gate and output projection are shared, while causal
convolution, parameter projections, decay and skip are each direction's own; the two gated outputs are added. Here the
sum is gated once, and the backward direction reads the sequence from its end instead of a flipped copy.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.pointwise import mix_channels
from lightning_modules.networks.layers.selective_scan import Backend, selective_scan

__all__ = ["Mamba", "ScanDirection", "reorder"]


class ScanDirection(nn.Module):
    """Everything of a Mamba block that belongs to one direction: causal convolution, projections, selective scan.

    Args:
        channels: inner channels D of the block.
        state_dim: states N of each channel.
        conv_width: positions that the depthwise convolution sees: the current and the ones before.
        step_rank: rank of the projection to the step sizes.
        reverse: let time run from the last position to the first.
        published_steps: draw the step sizes' bias log-uniformly from [0.001, 0.1] after softplus, and their weights
            from +-rank^-0.5; else PyTorch's own start of a linear layer.
        backend: implementation of the selective scan.
    """

    def __init__(
        self,
        channels: int,
        state_dim: int,
        conv_width: int,
        step_rank: int,
        reverse: bool = False,
        published_steps: bool = True,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.reverse = reverse
        self.backend = backend
        self.sizes = (step_rank, state_dim, state_dim)
        self.conv1d = nn.Conv1d(channels, channels, conv_width, groups=channels)
        self.x_proj = nn.Linear(channels, step_rank + 2 * state_dim, bias=False)
        self.dt_proj = nn.Linear(step_rank, channels)
        if published_steps:
            self._draw_steps(step_rank)
        rates = torch.arange(1, state_dim + 1, dtype=torch.float32)
        self.A_log = nn.Parameter(rates.log().repeat(channels, 1))
        self.D = nn.Parameter(torch.ones(channels))

    @torch.no_grad()
    def _draw_steps(self, step_rank: int) -> None:
        """Start with steps between 0.001 and 0.1 (Mamba, section 3.6)."""
        nn.init.uniform_(self.dt_proj.weight, -(step_rank**-0.5), step_rank**-0.5)
        low, high = math.log(0.001), math.log(0.1)
        steps = torch.empty_like(self.dt_proj.bias).uniform_(low, high).exp().clamp(min=1e-4)
        self.dt_proj.bias.copy_(steps + torch.log(-torch.expm1(-steps)))

    def forward(self, sequence: Tensor) -> Tensor:
        """Scan a sequence `B x D x L`; the output, of the same shape, is not gated yet."""
        reach = self.conv1d.kernel_size[0] - 1
        kernel = self.conv1d.weight.flip(-1) if self.reverse else self.conv1d.weight
        padded = functional.pad(sequence, (0, reach) if self.reverse else (reach, 0))
        local = functional.conv1d(padded, kernel, self.conv1d.bias, groups=len(kernel))
        local = functional.silu(local, inplace=not torch.is_grad_enabled())
        steps, entry, readout = mix_channels(self.x_proj.weight, local).split(self.sizes, dim=1)
        return selective_scan(
            local,
            mix_channels(self.dt_proj.weight, steps),
            -torch.exp(self.A_log),
            entry,
            readout,
            self.D,
            delta_bias=self.dt_proj.bias,
            delta_softplus=True,
            reverse=self.reverse,
            backend=self.backend,
        )


class Mamba(nn.Module):
    """Mix a sequence of tokens with selective state spaces; no normalisation and no skip of its own.

    Computed in the precision of its weights, under autocast too: in float32, as the published blocks are, unless the
    network was cast to half precision.

    Args:
        dim: channels C of a token, entering and leaving.
        state_dim: states N of each inner channel.
        conv_width: positions that the depthwise convolution sees.
        expand: inner over outer channels.
        step_rank: rank of the projection to the step sizes; `dim / 16`, rounded up, if None.
        bidirectional: scan from both ends.
        backend: implementation of the selective scan.
    """

    def __init__(
        self,
        dim: int,
        state_dim: int = 16,
        conv_width: int = 4,
        expand: int = 2,
        step_rank: int | None = None,
        bidirectional: bool = True,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        channels = expand * dim
        rank = math.ceil(dim / 16) if step_rank is None else step_rank
        self.in_proj = nn.Linear(dim, 2 * channels, bias=False)
        # The published backward direction keeps PyTorch's own start of its step sizes.
        self.directions = nn.ModuleList(
            ScanDirection(
                channels,
                state_dim,
                conv_width,
                rank,
                reverse=reverse,
                published_steps=not reverse,
                backend=backend,
            )
            for reverse in (False, True)[: 1 + bidirectional]
        )
        self.out_proj = nn.Linear(channels, dim, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `B x L x C` tokens, in the order of the sequence, to tokens of the same shape."""
        tokens = tokens.to(self.in_proj.weight.dtype)
        with torch.autocast(tokens.device.type, enabled=False):
            inner, outer = self.in_proj.weight.chunk(2)
            sequence = mix_channels(inner, tokens.mT)
            mixed: Tensor = self.directions[0](sequence)
            for direction in self.directions[1:]:
                mixed = _added(mixed, direction(sequence))
            # The gate is made last: so without gradients it is not held while the directions are scanned.
            mixed = _gated(mixed, mix_channels(outer, tokens.mT))
            return torch.bmm(mixed.mT, self.out_proj.weight.mT.expand(len(mixed), -1, -1))


def _added(one: Tensor, other: Tensor) -> Tensor:
    """The sum of two results, in place where no gradient is wanted."""
    return one + other if torch.is_grad_enabled() else one.add_(other)


def _gated(mixed: Tensor, gate: Tensor) -> Tensor:
    """`mixed * silu(gate)`, in place where no gradient is wanted."""
    if torch.is_grad_enabled():
        return mixed * functional.silu(gate)
    return mixed.mul_(functional.silu(gate, inplace=True))


def reorder(tokens: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
    """Bring tokens into another order; the backward pass is a copy as well, where plain indexing would add up.

    Args:
        tokens: `B x L x C`.
        order: position that each new place takes, `L`, a permutation.
        inverse: the permutation that undoes `order`.

    Returns:
        `tokens[:, order]`.
    """
    reordered: Tensor = _Reorder.apply(tokens, order, inverse)  # type: ignore[no-untyped-call]
    return reordered


class _Reorder(torch.autograd.Function):
    """Indexing by a permutation, differentiated by indexing with its inverse."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, order: Tensor, inverse: Tensor) -> Tensor:  # noqa: ANN401
        ctx.orders = (order, inverse)
        return tokens.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        order, inverse = ctx.orders
        return reorder(gradient, inverse, order), None, None
