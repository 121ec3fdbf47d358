"""How a block of CO2IF mixes an image with its guide: the rows of the paper's Table 3, all with the same interface.

The paper names the alternatives in one line each. Readings: they replace the mixing alone, in encoder and decoder;
projections, gate, residuals and feed-forward of the block stay, and so does W, so that a row shows the mixing and
nothing else. A mixer maps `B x D x H x W` and a `Guidance` to `B x D x H x W`; built without a guide it mixes the
image with itself.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.layers.mamba import Mamba
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.selective_scan import Backend

__all__ = ["CobraMixer", "ConvolutionMixer", "CrossAttentionMixer", "MixerName"]

MixerName = Literal["convolution", "cross_attention", "cobra", "comamba"]


class ConvolutionMixer(nn.Module):
    """Image and pixel-aligned guide side by side through a 1 x 1, a depthwise 3 x 3 and a 1 x 1 convolution.

    Args:
        channels: channels D of the image.
        guide_channels: channels of the guide; none for a block without one.
    """

    def __init__(self, channels: int, guide_channels: int | None = None) -> None:
        super().__init__()
        self.guided = guide_channels is not None
        self.layers = nn.Sequential(
            nn.Conv2d(channels + (guide_channels or 0), channels, kernel_size=1),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, kernel_size=1),
        )

    def forward(self, image: Tensor, guidance: Guidance) -> Tensor:
        """Mix `B x D x H x W` with its guide."""
        joined = image
        if self.guided and guidance.image is not None:
            joined = torch.cat((image, guidance.image), dim=1)
        return guidance.weigh(self.layers(joined)) + image


class CrossAttentionMixer(nn.Module):
    """Pixels ask, the guide answers: text tokens in the decoder, pixels of the same window in the encoder.

    Attention of all pixels to all pixels of the HR-MSI would grow with the square of the image.

    Args:
        channels: channels D of the image.
        guide_channels: channels of a guiding image; none for a block without one.
        token_channels: channels of guiding text tokens, which go before a guiding image.
        heads: attention heads; must divide `channels`.
        window: side of the windows in pixels.

    Raises:
        ValueError: the heads do not divide the channels.
    """

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        token_channels: int | None = None,
        heads: int = 4,
        window: int = 8,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise InputError(
                f"CrossAttentionMixer: {heads} heads do not divide {channels} channels; choose another dim or expand."
            )
        self.heads, self.window = heads, window
        self.by_text = token_channels is not None
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(token_channels or guide_channels or channels, 2 * channels)

    def _attend(self, asking: Tensor, answering: Tensor, mask: Tensor | None) -> Tensor:
        """Attention of `... x N x D` to `... x M x E`; mask `B x M` for batches of tokens."""
        query = self.query(asking).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        key, value = self.key_value(answering).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        scores = query @ key.transpose(-2, -3).mT * query.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
        attended = torch.softmax(scores, dim=-1).to(value.dtype) @ value.transpose(-2, -3)
        joined: Tensor = attended.transpose(-2, -3).flatten(-2)
        return joined

    def _windows(self, images: Tensor) -> Tensor:
        """`B x C x H x W` cut into `B x rows x columns x window^2 x C`."""
        cut = images.unflatten(3, (-1, self.window)).unflatten(2, (-1, self.window))
        windows: Tensor = cut.permute(0, 2, 4, 3, 5, 1).flatten(3, 4)
        return windows

    def forward(self, image: Tensor, guidance: Guidance) -> Tensor:
        """Mix `B x D x H x W` with its guide."""
        height, width = image.shape[2:]
        if self.by_text and guidance.tokens is not None:
            attended = self._attend(image.flatten(2).mT, guidance.tokens, guidance.mask)
            return guidance.weigh(attended.mT.unflatten(2, (height, width))) + image
        asking = self._windows(pad_to_multiple(image, self.window))
        answering = asking
        if guidance.image is not None:
            answering = self._windows(pad_to_multiple(guidance.image, self.window))
        attended = self._attend(asking, answering, None).unflatten(3, (self.window, self.window))
        mixed = attended.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)[..., :height, :width]
        return guidance.weigh(mixed) + image


class CobraMixer(nn.Module):
    """Tokens of both modalities in one sequence through a Mamba (Zhao et al., "Cobra", arXiv 2403.14520).

    The guide comes first: text tokens in the decoder, pixels of the HR-MSI in the encoder. Cobra's language model
    scans forwards only; here the sequence is scanned from both ends, since no pixel of an image is earlier.

    Args:
        channels: channels D of the image.
        guide_channels: channels of a guiding image; none for a block without one.
        token_channels: channels of guiding text tokens, which go before a guiding image.
        state_dim: states of each channel.
        backend: implementation of the selective scan.
    """

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        token_channels: int | None = None,
        state_dim: int = 16,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.by_text = token_channels is not None
        source = token_channels or guide_channels
        self.embed = None if source is None else nn.Linear(source, channels)
        self.mamba = Mamba(channels, state_dim, expand=1, backend=backend)

    def forward(self, image: Tensor, guidance: Guidance) -> Tensor:
        """Mix `B x D x H x W` with its guide."""
        pixels = image.flatten(2).mT
        sequence, before = pixels, 0
        guide = guidance.tokens if self.by_text else guidance.image
        if self.embed is not None and guide is not None:
            embedded = self.embed(guide if self.by_text else guide.flatten(2).mT)
            if self.by_text and guidance.mask is not None:
                embedded = embedded * guidance.mask[..., None]
            sequence, before = torch.cat((embedded, pixels.to(embedded.dtype)), dim=1), embedded.shape[1]
        mixed = self.mamba(sequence)[:, before:]
        return guidance.weigh(mixed.mT.unflatten(2, image.shape[2:])) + image
