"""Gated two-dimensional selective scan: SS2D of VMamba (Liu et al., arXiv 2401.10166) as MambaIR and SRLF-Net use it.

Four directions (rows, columns, both reversed) with parameters of their own; outputs are added where they belong,
normalised and gated. Here the projections run once on the image and only their few channels are laid out in the four
orders, and the skip D acts once on the merged image, because it does not depend on the order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.cross_scan import DIRECTIONS, cross_merge, cross_scan
from lightning_modules.networks.layers.selective_scan import Backend, selective_scan

__all__ = ["GatedScan2d"]


class GatedScan2d(nn.Module):
    """Mix the pixels of an image; no normalisation of the input and no skip.

    Args:
        channels: entering and leaving.
        state_dim: states N of each inner channel.
        expand: inner over outer channels.
        step_rank: rank of the projection to the step sizes; `channels / 16`, rounded up, if None.
        dropout: probability with which training drops an output.
        backend: implementation of the selective scan.
    """

    def __init__(
        self,
        channels: int,
        state_dim: int = 16,
        expand: int = 2,
        step_rank: int | None = None,
        dropout: float = 0.0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        inner = expand * channels
        rank = math.ceil(channels / 16) if step_rank is None else step_rank
        self.sizes = (rank, state_dim, state_dim)
        self.backend = backend
        self.in_proj = nn.Linear(channels, 2 * inner, bias=False)
        self.conv2d = nn.Conv2d(inner, inner, kernel_size=3, padding=1, groups=inner)
        bound = inner**-0.5
        self.x_proj = nn.Parameter(torch.empty(DIRECTIONS, sum(self.sizes), inner).uniform_(-bound, bound))
        self.dt_weight = nn.Parameter(torch.empty(DIRECTIONS, inner, rank).uniform_(-(rank**-0.5), rank**-0.5))
        steps = torch.empty(DIRECTIONS, inner).uniform_(math.log(0.001), math.log(0.1)).exp().clamp(min=1e-4)
        self.dt_bias = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))
        rates = torch.arange(1, state_dim + 1, dtype=torch.float32)
        self.A_log = nn.Parameter(rates.log().repeat(DIRECTIONS * inner, 1))
        self.D = nn.Parameter(torch.ones(DIRECTIONS * inner))
        self.out_norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, channels, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape; the scan runs in float32 at least."""
        image, gate = self.in_proj(features).chunk(2, dim=-1)
        mixed = self.out_norm(self._scan(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        projected: Tensor = self.dropout(self.out_proj(mixed * functional.silu(gate)))
        return projected

    def _scan(self, image: Tensor) -> Tensor:
        """Scan `B x D x H x W` in the four directions and add up."""
        image = functional.silu(self.conv2d(image.contiguous()), inplace=not torch.is_grad_enabled())
        with torch.autocast(image.device.type, enabled=False):
            image = image.to(torch.promote_types(image.dtype, torch.float32))
            lattice = (image.shape[2], image.shape[3])
            orders = cross_scan(image)
            # The first order is the image itself: so training keeps it once, together with the others.
            pixels = orders[:, 0]
            weight = self.x_proj.flatten(0, 1).expand(len(pixels), -1, -1)
            small = torch.bmm(weight, pixels).unflatten(-1, lattice).unflatten(1, (DIRECTIONS, -1))
            ranks, entry, readout = cross_scan(small).split(self.sizes, dim=2)
            scanned = selective_scan(
                orders.flatten(1, 2),
                (self.dt_weight @ ranks).flatten(1, 2),
                -torch.exp(self.A_log),
                entry,
                readout,
                delta_bias=self.dt_bias.flatten(),
                delta_softplus=True,
                backend=self.backend,
            )
            merged = cross_merge(scanned.unflatten(1, (DIRECTIONS, -1)), lattice)
            skip = self.D.view(DIRECTIONS, -1).sum(0)[:, None]
            return torch.addcmul(merged, pixels.unflatten(-1, lattice), skip[..., None])
