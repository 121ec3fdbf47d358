"""The block of CO2IF (CoMamba, Figure 3): normalise, mix with the guide, gate, residual, normalise, feed-forward.

The paper draws LN, SS2D and LN without naming the gate or the feed-forward; both are VMamba's (Liu et al., arXiv
2401.10166): the scan's output is normalised and multiplied by the SiLU of a second projection of the block's input.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.mixers import (
    CobraMixer,
    ConvolutionMixer,
    CrossAttentionMixer,
    MixerName,
)
from lightning_modules.networks.fusion.co2if.ss2d import SS2D
from lightning_modules.networks.layers.selective_scan import Backend

__all__ = ["BlockSettings", "CoMambaBlock"]


class BlockSettings(NamedTuple):
    """What all blocks of a network have in common.

    Attributes:
        dim: channels C of a pixel.
        mixer: how image and guide are mixed, a row of Table 3.
        expand: inner over outer channels.
        feed_forward: hidden over outer channels of the feed-forward.
        state_dim: states of each channel of a scan.
        heads: heads of the variant `cross_attention`.
        scale_b: lambda of Eq. 12 and 13.
        scale_c: gamma of Eq. 14 and 15.
        backend: implementation of the selective scan.
    """

    dim: int
    mixer: MixerName
    expand: int
    feed_forward: float
    state_dim: int
    heads: int
    scale_b: float
    scale_c: float
    backend: Backend

    def build(self, guide_channels: int | None, token_channels: int | None) -> nn.Module:
        """Return the mixer of a block.

        Raises:
            ValueError: the mixer is unknown.
        """
        channels = self.dim * self.expand
        if self.mixer == "comamba":
            return SS2D(channels, guide_channels, self.state_dim, None, self.scale_b, self.scale_c, self.backend)
        if self.mixer == "cobra":
            return CobraMixer(channels, guide_channels, token_channels, self.state_dim, self.backend)
        if self.mixer == "cross_attention":
            return CrossAttentionMixer(channels, guide_channels, token_channels, self.heads)
        if self.mixer == "convolution":
            return ConvolutionMixer(channels, guide_channels)
        raise InputError(f"CO2IF: mixer {self.mixer!r} is unknown; choose one of {', '.join(get_args(MixerName))}.")


class CoMambaBlock(nn.Module):
    """One block of the encoder or the decoder.

    Args:
        settings: sizes and mixer.
        guide_channels: channels of the pixel-aligned guide; none for a block without one.
        token_channels: channels of the text tokens, decoder only.
        weighted: whether W is given (it is brought to the inner channels where these are more).
    """

    def __init__(
        self,
        settings: BlockSettings,
        guide_channels: int | None = None,
        token_channels: int | None = None,
        weighted: bool = False,
    ) -> None:
        super().__init__()
        dim, inner = settings.dim, settings.dim * settings.expand
        hidden = int(dim * settings.feed_forward)
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 2 * inner, bias=False)
        self.mixer = settings.build(guide_channels, token_channels)
        self.widen = nn.Conv2d(dim, inner, kernel_size=1) if weighted and inner != dim else None
        self.norm_mixed = nn.LayerNorm(inner)
        self.restore = nn.Linear(inner, dim, bias=False)
        self.feed_forward = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, features: Tensor, guidance: Guidance) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape; `guidance` holds `B x C x H x W` images."""
        if self.widen is not None and guidance.weight is not None:
            guidance = guidance._replace(weight=self.widen(guidance.weight))
        value, gate = self.project(self.norm(features)).chunk(2, dim=-1)
        mixed = self.mixer(value.permute(0, 3, 1, 2).contiguous(), guidance)
        # Scans answer in float32; a network that was cast to half precision goes on in its own.
        mixed = mixed.permute(0, 2, 3, 1).to(self.norm_mixed.weight.dtype)
        gated = self.norm_mixed(mixed) * functional.silu(gate)
        features = features + self.restore(gated)
        # Four times as wide as the features, so that keeping it for backward would cost more memory than the scan does.
        hidden: Tensor = checkpoint(self.feed_forward, features, use_reentrant=False, preserve_rng_state=False)
        return features + hidden
