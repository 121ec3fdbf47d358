"""SSTF-Unet, fusion by a spatial-spectral transformer U-Net (Liu, Feng, Dian, Li, TNNLS 2023).

Features of the multispectral image pass window attention, the bicubically enlarged cube itself passes attention among
its channels; both are halved three times (`levels`) and meet at every level, then one stream goes up again with both
attentions.

Facts of the published code that its weights were trained with and that are kept: the cube is enlarged with its corner
pixels on the image's corners (`align_corners`), which is neither of the usual grids (`align_corners=False` or
`use_phase=True` corrects it). The spectral attention has no norm before it. Attention among channels looks at all
pixels, so a tile's result depends on the tile; compare only results that were made with the same tile setting (the
authors restore tiles). Sides that do not divide by 8 are continued by reflection and cropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from lightning_modules.networks.fusion.enlargement import enlarge_bicubic, enlarge_from_phase
from lightning_modules.networks.fusion.pair import check_pair, check_positive, mirror_to_multiple
from lightning_modules.networks.fusion.sstf_unet.spatial import SpatialLayer
from lightning_modules.networks.fusion.sstf_unet.spectral import SpectralLayer

__all__ = ["SSTFUNet"]

BLOCKS = 2
"""Swin blocks of a level."""


class EncoderLevel(nn.Module):
    """Both streams halved, each through its attention, and joined."""

    def __init__(self, channels: int, bands: int, heads: int, window: int, drop_path: Sequence[float]) -> None:
        super().__init__()
        self.halve_spectral = _halve(channels)
        self.spectral = SpectralLayer(channels, channels // bands)
        self.halve_spatial = _halve(channels)
        self.spatial = SpatialLayer(channels, heads, window, drop_path)
        self.join = nn.Conv2d(2 * channels, channels, kernel_size=1, bias=False)

    def forward(self, spatial: Tensor, spectral: Tensor) -> tuple[Tensor, Tensor]:
        """Map both streams `B x C/2 x H x W` to `B x C x H/2 x W/2`."""
        spectral = self.spectral(self.halve_spectral(spectral))
        spatial = self.spatial(self.halve_spatial(spatial))
        return spatial, self.join(torch.cat((spectral, spatial), dim=1))


class DecoderLevel(nn.Module):
    """Doubled, joined with the encoder's features, through both attentions side by side."""

    def __init__(self, channels: int, bands: int, heads: int, window: int, drop_path: Sequence[float]) -> None:
        super().__init__()
        self.raise_size = nn.ConvTranspose2d(2 * channels, channels, kernel_size=2, stride=2)
        self.join = nn.Conv2d(2 * channels, channels, kernel_size=1, bias=False)
        self.spectral = SpectralLayer(channels, channels // bands)
        self.spatial = SpatialLayer(channels, heads, window, drop_path)
        self.merge = nn.Conv2d(2 * channels, channels, kernel_size=1, bias=False)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Map `B x 2C x H x W` to `B x C x 2H x 2W`."""
        features = self.join(torch.cat((self.raise_size(features), skip), dim=1))
        merged: Tensor = self.merge(torch.cat((self.spectral(features), self.spatial(features)), dim=1))
        return merged


class SSTFUNet(nn.Module):
    """Fuse a low-resolution hyperspectral cube and a high-resolution multispectral image of any size.

    Without arguments this is the published network for 31 bands and x16 (5 357 287 parameters, which do not depend on
    the ratio).

    Args:
        input_channels: bands C of the cube; features have 2 C, 4 C and 8 C channels, so every level's heads divide.
        multispectral_channels: channels c of the multispectral image.
        ratio: pixels of the multispectral image along one of the cube: any whole factor.
        levels: how often the images are halved.
        window: side of the windows of the spatial attention.
        drop_path: highest probability with which training leaves out a Swin block's branch; lower ones rise to it.
        align_corners: grid of the enlarged cube, see above.
        use_phase: enlarge the cube from the sampling phase of the observation where it is given (`phase` of `forward`;
            modules give that of the data) instead of by the published grid.

    Raises:
        ValueError: a size is below 1.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^conv_in_MSI\.", "stem."),
        (r"^conv_out\.", "tail."),
        (r"^body\.up\.", "up."),
        (r"^body\.encoder_layers\.(\d)\.0\.downsample\.", r"encoder.\1.halve_spectral."),
        (r"^body\.encoder_layers\.(\d)\.1\.downsample\.", r"encoder.\1.halve_spatial."),
        (r"^body\.encoder_layers\.(\d)\.0\.", r"encoder.\1.spectral."),
        (r"^body\.encoder_layers\.(\d)\.1\.", r"encoder.\1.spatial."),
        (r"^body\.encoder_layers\.(\d)\.2\.", r"encoder.\1.join."),
        (r"^body\.decoder_layers\.(\d)\.0\.", r"decoder.\1.raise_size."),
        (r"^body\.decoder_layers\.(\d)\.1\.", r"decoder.\1.join."),
        (r"^body\.decoder_layers\.(\d)\.2\.", r"decoder.\1.merge."),
        (r"^body\.decoder_layers\.(\d)\.3\.", r"decoder.\1.spectral."),
        (r"^body\.decoder_layers\.(\d)\.4\.", r"decoder.\1.spatial."),
        (r"\.spectral\.blocks\.0\.0\.", ".spectral.attention."),
        (r"\.spectral\.blocks\.0\.1\.fn\.net\.", ".spectral.feed_forward."),
        (r"\.spectral\.blocks\.0\.1\.norm\.", ".spectral.norm."),
        (r"\.to_q\.", ".query."),
        (r"\.to_k\.", ".key."),
        (r"\.to_v\.", ".value."),
        (r"\.pos_emb\.", ".position."),
        (r"\.attn\.relative_position_bias_table$", ".attention.bias_table"),
        (r"\.attn\.", ".attention."),
        (r"\.proj\.", ".project."),
        (r"\.mlp\.fc1\.", ".mlp.0."),
        (r"\.mlp\.fc2\.", ".mlp.2."),
    )
    official_derived: ClassVar[Sequence[str]] = (r"\.relative_position_index$",)

    def __init__(
        self,
        input_channels: int = 31,
        multispectral_channels: int = 3,
        ratio: int = 16,
        levels: int = 3,
        window: int = 7,
        drop_path: float = 0.1,
        align_corners: bool = True,
        use_phase: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"input_channels": input_channels, "multispectral_channels": multispectral_channels}
        check_positive("SSTFUNet", **sizes, ratio=ratio, levels=levels, window=window)
        self.input_channels, self.multispectral_channels, self.ratio = input_channels, multispectral_channels, ratio
        self.align_corners, self.use_phase = align_corners, use_phase
        chances = torch.linspace(0, drop_path, levels * BLOCKS).unflatten(0, (levels, BLOCKS)).tolist()
        settings = [
            (input_channels * 2 ** (level + 1), input_channels, 2 ** (level + 1), window, chances[level])
            for level in range(levels)
        ]
        self.multiple = 2**levels
        self.stem = nn.Conv2d(multispectral_channels, input_channels, kernel_size=3, padding=1, bias=False)
        self.encoder = nn.ModuleList(EncoderLevel(*one) for one in settings)
        self.decoder = nn.ModuleList(DecoderLevel(*one) for one in reversed(settings[:-1]))
        self.up = nn.ConvTranspose2d(2 * input_channels, input_channels, kernel_size=2, stride=2)
        self.tail = nn.Conv2d(input_channels, input_channels, kernel_size=3, padding=1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def takes_phase(self) -> bool:
        """Whether `forward` wants to know the sampling phase of the observation."""
        return self.use_phase

    def _enlarge(self, observation: Tensor, phase: float | None = None) -> Tensor:
        if self.use_phase and phase is not None:
            return enlarge_from_phase(observation, self.ratio, phase)
        return enlarge_bicubic(observation, self.ratio, align_corners=self.align_corners)

    def forward(self, observation: Tensor, multispectral: Tensor, *, phase: float | None = None) -> Tensor:
        """Fuse.

        Args:
            observation: LR-HSI `B x C x h x w`, nominally in [0, 1].
            multispectral: HR-MSI `B x c x H x W` with `H = ratio h`, `W = ratio w`.
            phase: where a pixel of the cube lies in its block, from 0 (the first pixel's centre) to ratio - 1; without
                `use_phase` it is not looked at.

        Returns:
            HR-HSI `B x C x H x W`, not clipped (the authors clamp it to [0, 1] in training and test).

        Raises:
            ValueError: the images do not fit each other or the network.
        """
        pair = (observation, multispectral)
        check_pair("SSTFUNet", *pair, self.input_channels, self.multispectral_channels, self.ratio)
        height, width = multispectral.shape[-2:]
        enlarged = mirror_to_multiple(self._enlarge(observation, phase), self.multiple)
        spatial, spectral = self.stem(mirror_to_multiple(multispectral, self.multiple)), enlarged
        skips = []
        for encode in self.encoder:
            spatial, spectral = encode(spatial, spectral)
            skips.append(spectral)
        features = skips.pop()
        for decode in self.decoder:
            features = decode(features, skips.pop())
        fused: Tensor = enlarged + self.tail(self.up(features))
        return fused[..., :height, :width]


def _halve(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels // 2, channels, kernel_size=4, stride=2, padding=1, bias=False)
