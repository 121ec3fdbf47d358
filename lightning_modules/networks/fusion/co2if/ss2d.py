"""Coordinated two-dimensional selective scan of CO2IF (Zhang, Yang, Gao, AAAI 2026, Eq. 9 to 15).

The scan is SS2D of VMamba (Liu et al., arXiv 2401.10166): depthwise convolution, SiLU, then four directions with
parameters of their own, whose outputs are added where they belong. CO2IF adds to the input and output matrices those
of a guide (HR-MSI in the encoder, text in the decoder):

    h_k = exp(Delta A) h_(k-1) + (Delta B + lambda Delta_y B_y) x_k        Eq. 12 and 13
    y_k = (C + gamma C_y) h_k + D x_k                                      Eq. 14
    y_k = ((C + gamma C_t) h_k) * W + D x_k                                Eq. 15

Readings: the guide's matrix has its bar from the guide's own step sizes, as `{B_y, Delta_y, C_y}` come together
(Eq. 10, 11), while the decay stays that of the image; Eq. 14 and 15 write `x_k` for `D x_k` of Eq. 6: D starts at 1
and is learned, as in VMamba; "linear norm layers" are a layer normalisation of the guide and a linear map (the image
is normalised by the block). W and D do not depend on the direction, so both act once, on the merged image.
All four directions and both input terms are one call of the scan.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.layers.cross_scan import DIRECTIONS, cross_merge, cross_scan
from lightning_modules.networks.layers.pointwise import mix_channels
from lightning_modules.networks.layers.selective_scan import Backend, SecondInput, selective_scan

__all__ = ["DIRECTIONS", "SS2D", "ScanParameters", "cross_merge", "cross_scan"]


class ScanParameters(nn.Module):
    """Theta_proj of Eq. 9 to 11: step sizes, input and output matrices of all directions from features.

    Args:
        channels: channels of the features.
        scan_channels: channels D of the scanned image.
        state_dim: states N of each channel.
        step_rank: rank R of the projection to the step sizes.
        normalise: normalise the features over their channels first.
    """

    def __init__(self, channels: int, scan_channels: int, state_dim: int, step_rank: int, normalise: bool) -> None:
        super().__init__()
        self.sizes = (step_rank, state_dim, state_dim)
        self.norm = nn.LayerNorm(channels) if normalise else nn.Identity()
        self.project = nn.Linear(channels, DIRECTIONS * sum(self.sizes), bias=False)
        bound = step_rank**-0.5
        self.step_weight = nn.Parameter(torch.empty(DIRECTIONS, scan_channels, step_rank).uniform_(-bound, bound))
        steps = torch.empty(DIRECTIONS * scan_channels).uniform_(math.log(0.001), math.log(0.1)).exp()
        self.step_bias = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Project `B x C x H x W` features.

        Returns:
            Step sizes, positive, `B x 4 D x L` in float32 (or float64), input and output matrices, `B x 4 x N x L`.
        """
        tokens = features.flatten(2)
        if isinstance(self.norm, nn.LayerNorm):
            tokens = self.norm(tokens.mT).mT
        images = mix_channels(self.project.weight, tokens).unflatten(-1, features.shape[2:])
        steps, entry, readout = cross_scan(images.unflatten(1, (DIRECTIONS, -1))).split(self.sizes, dim=2)
        # Made again from their few ranks in the backward pass: what softplus would keep is the size of four images.
        sizes: Tensor = checkpoint(
            _step_sizes, self.step_weight, steps, self.step_bias, use_reentrant=False, preserve_rng_state=False
        )
        return sizes, entry, readout


def _step_sizes(weight: Tensor, ranks: Tensor, bias: Tensor) -> Tensor:
    """Softplus of the projected ranks `B x 4 x R x L`, in float32 at least."""
    raw = (weight @ ranks).flatten(1, 2)
    return functional.softplus(raw.to(torch.promote_types(raw.dtype, torch.float32)) + bias[:, None])


class SS2D(nn.Module):
    """Coordinated SS2D, without normalisation, gate and skip, which belong to the block around it.

    Without a guide, or with both factors 0 and no W, it is VMamba's SS2D.

    Args:
        channels: channels D of the scanned image.
        guide_channels: channels of the guide; none for a block without one.
        state_dim: states N of each channel.
        step_rank: rank of the projection to the step sizes; `channels / 16`, rounded up, if none.
        scale_b: lambda, factor of the guide's input matrix.
        scale_c: gamma, factor of the guide's output matrix.
        backend: implementation of the selective scan.
    """

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        state_dim: int = 16,
        step_rank: int | None = None,
        scale_b: float = 0.1,
        scale_c: float = 0.1,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        rank = math.ceil(channels / 16) if step_rank is None else step_rank
        self.scale_b, self.scale_c, self.backend = scale_b, scale_c, backend
        self.convolution = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)
        self.parameters_of_image = ScanParameters(channels, channels, state_dim, rank, normalise=False)
        self.parameters_of_guide: ScanParameters | None = None
        if guide_channels is not None:
            self.parameters_of_guide = ScanParameters(guide_channels, channels, state_dim, rank, normalise=True)
        rates = torch.arange(1, state_dim + 1, dtype=torch.float32)
        self.A_log = nn.Parameter(rates.log().repeat(DIRECTIONS * channels, 1))
        self.D = nn.Parameter(torch.ones(DIRECTIONS, channels))

    def forward(self, image: Tensor, guidance: Guidance) -> Tensor:
        """Scan an image.

        Args:
            image: `B x D x H x W`.
            guidance: its `image` gives the coordinated parameters, its `weight` is W.

        Returns:
            `B x D x H x W` in float32 (or float64), whatever the autocast.
        """
        inputs = functional.silu(self.convolution(image))
        steps, entry, readout = self.parameters_of_image(inputs)
        second: SecondInput | None = None
        if self.parameters_of_guide is not None and guidance.image is not None:
            guide = self.parameters_of_guide
            guide_steps, guide_entry, guide_readout = guide(guidance.image)
            second = SecondInput(guide_steps, guide_entry, self.scale_b)
            readout = readout + self.scale_c * guide_readout
        inputs = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        scanned = selective_scan(
            cross_scan(inputs).flatten(1, 2),
            steps,
            -torch.exp(self.A_log),
            entry,
            readout,
            second=second,
            backend=self.backend,
        )
        merged = cross_merge(scanned.unflatten(1, (DIRECTIONS, -1)), (image.shape[2], image.shape[3]))
        return guidance.weigh(merged) + inputs * self.D.sum(0)[:, None, None]
