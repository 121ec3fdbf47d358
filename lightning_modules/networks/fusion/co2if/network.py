"""CO2IF, language-bridging fusion of LR-HSI, HR-MSI and a caption (Zhang, Yang, Gao, AAAI 2026), from its paper.

No code was published; the official repository is empty. Decisions where the paper is silent:
the bicubically enlarged LR-HSI and the HR-MSI each pass a stem of convolutions (one and two); the encoder starts from
both, joined by a 1 x 1 convolution ("fed into the encoder"), because through Eq. 12 to 15 alone the MSI only
modulates the scan by factors of 0.1, and its blocks take their parameters from the MSI's features; the transport
matches the text with the features of the enlarged LR-HSI (step 3 of Figure 2) once, and W and the pixel-aligned text
go to every decoder block; the output is the enlarged LR-HSI plus a residual whose last convolution starts at zero.
Sizes are not published either; the defaults take 104.8 GFLOPs (paper: 106.67, input not said) at 128 x 128 pixels, 31
bands and 77 text tokens, by `networks.flops.count_flops`.

Ablations are arguments: `cot` (Table 2), `mixer` and `use_w` (Table 3), `scale_b` and `scale_c` (Table 4), `use_text`
and `use_msi` (Figure 5). Without text there is neither transport nor W and the decoder's blocks scan their image
alone; without MSI those of the encoder do. A variant owns only the parameters that it uses.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.co2if.adapters import ClipAdapters
from lightning_modules.networks.fusion.co2if.comamba import BlockSettings, CoMambaBlock
from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.inputs import check_multispectral, check_observation, check_sizes
from lightning_modules.networks.fusion.co2if.mixers import MixerName
from lightning_modules.networks.fusion.co2if.mutual_information import MutualInformationForm
from lightning_modules.networks.fusion.co2if.text_guide import TextGuide
from lightning_modules.networks.fusion.co2if.transport import CrossModalTransport, TransportForm, WordMarginals
from lightning_modules.networks.layers.selective_scan import Backend
from lightning_modules.networks.upsampled import upsample_bicubic

__all__ = ["CO2IF"]


def _convolution(entering: int, leaving: int) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, kernel_size=3, padding=1)


class CO2IF(nn.Module):
    """Fuse a low-resolution hyperspectral cube and a high-resolution multispectral image under a caption.

    Without arguments: 3 278 913 parameters. A compact network that trains on a CPU: `CO2IF(dim=24, encoder_blocks=1,
    decoder_blocks=1, feed_forward=2, state_dim=2, embedding_width=64)`.

    Args:
        input_channels: bands C of the cube.
        multispectral_channels: channels c of the multispectral image.
        ratio: how many pixels of the multispectral image lie along one of the cube.
        text_width: channels of the text tower's tokens (512 for CLIP ViT-B/32).
        image_width: channels of the image tower's embedding.
        embedding_width: channels of adapted tokens and of both adapted embeddings.
        dim: feature channels.
        encoder_blocks: blocks guided by the multispectral image.
        decoder_blocks: blocks guided by the text.
        expand: inner over outer channels of a block.
        feed_forward: hidden over outer channels of the feed-forward.
        state_dim: states of each channel of a scan.
        heads: attention heads of the variant `cross_attention`.
        mixer: how blocks mix image and guide (Table 3).
        cot: how pixels and words are paired (Table 2).
        use_w: whether W weighs the decoder's output (Eq. 15).
        use_text: whether there is a caption; without, no text inputs are wanted.
        use_msi: whether there is a multispectral image; without, it is not looked at.
        scale_b: lambda of Eq. 12 and 13.
        scale_c: gamma of Eq. 14 and 15.
        mutual_information: G of the transport cost, a matrix (`pointwise`) or the number of Eq. 2 (`global`).
        cot_epsilon: weight of the plan's entropy.
        cot_iterations: most Sinkhorn iterations.
        cot_smooth_steps: steps for the smoothness term of Eq. 1; 0 leaves it out.
        word_marginals: shares of the image that words get, see `CrossModalTransport`; with `content`, the text mask
            must be that of content words, as `FusionModule` then asks of the towers.
        backend: implementation of the selective scan.

    Raises:
        ValueError: unknown mixer or pairing, or a size below 1.
    """

    def __init__(
        self,
        input_channels: int = 31,
        multispectral_channels: int = 3,
        ratio: int = 8,
        text_width: int = 512,
        image_width: int = 512,
        embedding_width: int = 256,
        dim: int = 160,
        encoder_blocks: int = 3,
        decoder_blocks: int = 3,
        expand: int = 1,
        feed_forward: float = 4.0,
        state_dim: int = 16,
        heads: int = 4,
        mixer: MixerName = "comamba",
        cot: TransportForm = "full",
        use_w: bool = True,
        use_text: bool = True,
        use_msi: bool = True,
        scale_b: float = 0.1,
        scale_c: float = 0.1,
        mutual_information: MutualInformationForm = "pointwise",
        cot_epsilon: float = 0.01,
        cot_iterations: int = 100,
        cot_smooth_steps: int = 2,
        word_marginals: WordMarginals = "uniform",
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        check_sizes(input_channels=input_channels, ratio=ratio, dim=dim, expand=expand, state_dim=state_dim)
        self.input_channels, self.multispectral_channels, self.ratio = input_channels, multispectral_channels, ratio
        self.use_text, self.use_msi, self.cot = use_text, use_msi, cot
        self.word_marginals = word_marginals
        settings = BlockSettings(dim, mixer, expand, feed_forward, state_dim, heads, scale_b, scale_c, backend)
        self.spectral_stem = _convolution(input_channels, dim)
        if use_msi:
            entry = _convolution(multispectral_channels, dim)
            self.spatial_stem = nn.Sequential(entry, nn.GELU(), _convolution(dim, dim))
            self.join = nn.Conv2d(2 * dim, dim, kernel_size=1)
        by_tokens = mixer in ("cross_attention", "cobra")
        self.text_guide: TextGuide | None = None
        if use_text:
            adapters = ClipAdapters(text_width, image_width, embedding_width)
            transport: CrossModalTransport | None = None
            if use_w or not by_tokens:
                solver = (cot, mutual_information, cot_epsilon, cot_iterations)
                transport = CrossModalTransport(
                    dim, embedding_width, None, *solver, smooth_steps=cot_smooth_steps, word_marginals=word_marginals
                )
            self.text_guide = TextGuide(adapters, transport, use_w)
        spatial, text = dim if use_msi else None, dim if use_text else None
        tokens, weighted = embedding_width if use_text and by_tokens else None, use_text and use_w
        self.encoder = nn.ModuleList(CoMambaBlock(settings, spatial) for _ in range(encoder_blocks))
        self.decoder = nn.ModuleList(CoMambaBlock(settings, text, tokens, weighted) for _ in range(decoder_blocks))
        self.tail = nn.Sequential(_convolution(dim, dim), nn.GELU(), _convolution(dim, input_channels))
        for parameter in self.tail[2].parameters():
            nn.init.zeros_(parameter)

    @property
    def logit_scale(self) -> nn.Parameter | None:
        """Logarithm of 1 / tau of Eq. 16, a learned scalar; none without text."""
        return None if self.text_guide is None else self.text_guide.adapters.logit_scale

    takes_phase = True
    """Whether `forward` wants to know the sampling phase of the observation."""

    def _enlarge(self, observation: Tensor, phase: float | None) -> Tensor:
        check_observation(observation, self.input_channels)
        with torch.autocast(observation.device.type, enabled=False):
            return upsample_bicubic(observation, self.ratio, phase)

    def forward(
        self,
        observation: Tensor,
        multispectral: Tensor | None = None,
        text_tokens: Tensor | None = None,
        text_mask: Tensor | None = None,
        *,
        phase: float | None = None,
    ) -> Tensor:
        """Fuse.

        Args:
            observation: LR-HSI `B x C x h x w`, nominally in [0, 1].
            multispectral: HR-MSI `B x c x H x W` with `H = ratio h`, `W = ratio w`.
            text_tokens: tokens of the text tower, `B x M x text_width`.
            text_mask: `B x M`, true for real text tokens; all if none.
            phase: where a pixel of the cube lies in its block, from 0 (the first pixel's centre) to ratio - 1; the
                block's middle if None.

        Returns:
            HR-HSI `B x C x H x W`, not clipped.

        Raises:
            ValueError: an input is missing or does not fit.
        """
        enlarged = self._enlarge(observation, phase)
        spectral: Tensor = self.spectral_stem(enlarged)
        features, guidance = spectral, Guidance()
        if self.use_msi:
            image = check_multispectral(multispectral, observation, self.multispectral_channels, self.ratio)
            spatial = self.spatial_stem(image)
            guidance = Guidance(spatial)
            features = self.join(torch.cat((spectral, spatial), dim=1))
        features = features.permute(0, 2, 3, 1)
        for block in self.encoder:
            features = block(features, guidance)
        guidance = Guidance()
        if self.text_guide is not None:
            guidance = self.text_guide(spectral, text_tokens, text_mask)
        for block in self.decoder:
            features = block(features, guidance)
        residual: Tensor = self.tail(features.permute(0, 3, 1, 2))
        return enlarged + residual

    def embed(self, text_tokens: Tensor, text_mask: Tensor | None, image_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return the unit vectors (t, y) of Eq. 16, each `B x embedding_width`; see `ClipAdapters.embed`.

        Raises:
            ValueError: the network was built without text, or tokens, mask or embedding do not fit.
        """
        if self.text_guide is None:
            raise InputError("CO2IF: a network with use_text=False has no embeddings to contrast; leave that loss out.")
        if text_mask is None:
            text_mask = torch.ones_like(text_tokens[..., 0], dtype=torch.bool)
        return self.text_guide.adapters.embed(text_tokens, text_mask, image_embedding)

    def matching_loss(
        self,
        observation: Tensor,
        text_tokens: Tensor | None,
        text_mask: Tensor | None = None,
        *,
        phase: float | None = None,
    ) -> Tensor:
        """Return the training term of `cot="cross_entropy"` (Table 2, "w/ CE"), in nats; 0 in other variants."""
        if self.text_guide is None or self.cot != "cross_entropy":
            return torch.zeros((), device=observation.device)
        spectral = self.spectral_stem(self._enlarge(observation, phase))
        return self.text_guide.matching_loss(spectral, text_tokens, text_mask)
