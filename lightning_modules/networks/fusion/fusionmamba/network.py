"""FusionMamba, fusion with state space models (Peng, Zhu, Deng, Deng, Lei, TGRS 2024); the published class is `U2Net`.

Both streams run through a U of five fusion blocks; the result, weighted band by band, is added to the cube enlarged by
a learned convolution and pixel shuffle, which therefore learns the sampling phase of its training data.

The authors publish code and weights for pansharpening alone; only the numbers of channels differ here. Their HSI
configuration is not stated. Published blocks are built for one size of image; these take any: sides that do not divide
by 4 are continued by reflection and cropped. A scan and the bands' maxima look at the whole image, so a tile's result
depends on the tile; compare only results that were made with the same tile setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.fusion.fusionmamba.blocks import BandAttention, FusionBlock, Halve, Raise
from lightning_modules.networks.fusion.pair import check_pair, check_positive, mirror_to_multiple
from lightning_modules.networks.layers.selective_scan import Backend

__all__ = ["FusionMamba"]

MULTIPLE = 4
SUFFIXES = ("", "_c", "_b", "_d")
"""Of the published names of rows, columns, rows backwards and columns backwards."""


def _directions() -> list[tuple[str, str]]:
    """Name table of the directions of a scan, in the order of `cross_scan`; two-way scans have rows alone."""
    names = [(r"^(band_attention\.scan\.)(conv1d|x_proj|dt_proj)_b\.", r"\1directions.1.\2.")]
    names += [(r"^(band_attention\.scan\.)A_b_log$", r"\1directions.1.A_log")]
    names += [(r"^(band_attention\.scan\.)D_b$", r"\1directions.1.D")]
    for number, suffix in enumerate(SUFFIXES):
        names += [
            (rf"\.scan\.(conv1d|x_proj|dt_proj){suffix}\.", rf".scan.directions.{number}.\1."),
            (rf"\.scan\.A{suffix}_log$", f".scan.directions.{number}.A_log"),
            (rf"\.scan\.D{suffix}$", f".scan.directions.{number}.D"),
        ]
    return names


class FusionMamba(nn.Module):
    """Fuse a low-resolution hyperspectral cube and a high-resolution multispectral image of any size.

    Without arguments: the published widths for 31 bands, 3 channels and x4 (878 416 parameters). The published WV3
    network is `FusionMamba(input_channels=8, multispectral_channels=1)`.

    Args:
        input_channels: bands C of the cube.
        multispectral_channels: channels c of the multispectral image.
        ratio: pixels of the multispectral image along one of the cube: any whole factor.
        dim: feature channels at full size, doubled twice below.
        state_dim: states of each channel of a scan.
        backend: implementation of the selective scan.

    Raises:
        ValueError: a size is below 1.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^upsample\.upsamle\.0\.", "enlarge."),
        (r"^raise_pan_dim\.0\.", "spatial_stem."),
        (r"^raise_ms_dim\.0\.", "spectral_stem."),
        (r"^to_hrms\.", "tail."),
        (r"^spe_attn\.block\.0\.", "band_attention.widen."),
        (r"^spe_attn\.block\.1\.", "band_attention.norm."),
        (r"^spe_attn\.block\.2\.", "band_attention.scan."),
        (r"^spe_attn\.block\.3\.", "band_attention.narrow."),
        (r"^stage4\.", "blocks.4."),
        (r"^stage(\d)\.fm\.", r"blocks.\1."),
        (r"\.spa_mamba_layers\.0\.", ".spatial."),
        (r"\.spe_mamba_layers\.0\.", ".spectral."),
        (r"\.spa_cross_mamba\.", ".spatial_cross."),
        (r"\.spe_cross_mamba\.", ".spectral_cross."),
        (r"\.block\.", ".scan."),
        (r"^stage(\d)\.sample\.down\.0\.", r"halves.\1.down."),
        *((rf"^stage{number}\.sample\.up\.0\.", f"raises.{number - 2}.up.") for number in (2, 3)),
        *((rf"^stage{number}\.sample\.conv\.0\.", f"raises.{number - 2}.depthwise.") for number in (2, 3)),
        *((rf"^stage{number}\.sample\.conv\.1\.", f"raises.{number - 2}.pointwise.") for number in (2, 3)),
        *_directions(),
    )

    def __init__(
        self,
        input_channels: int = 31,
        multispectral_channels: int = 3,
        ratio: int = 4,
        dim: int = 32,
        state_dim: int = 8,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        sizes = {"input_channels": input_channels, "multispectral_channels": multispectral_channels}
        check_positive("FusionMamba", **sizes, ratio=ratio, dim=dim, state_dim=state_dim)
        self.input_channels, self.multispectral_channels, self.ratio = input_channels, multispectral_channels, ratio
        self.enlarge = _convolution(input_channels, input_channels * ratio**2, bias=False)
        self.spatial_stem = _convolution(multispectral_channels, dim)
        self.spectral_stem = _convolution(input_channels, dim)
        widths = (dim, 2 * dim, 4 * dim, 2 * dim, dim)
        self.blocks = nn.ModuleList(FusionBlock(width, state_dim, backend) for width in widths)
        self.halves = nn.ModuleList(Halve(width) for width in widths[:2])
        self.raises = nn.ModuleList(Raise(width) for width in widths[2:4])
        self.tail = nn.Sequential(_convolution(dim, dim), nn.LeakyReLU(), _convolution(dim, input_channels))
        self.band_attention = BandAttention(dim, state_dim, backend)

    def _enlarge(self, observation: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.enlarge(observation), self.ratio)

    def forward(self, observation: Tensor, multispectral: Tensor) -> Tensor:
        """Fuse.

        Args:
            observation: LR-HSI `B x C x h x w`, nominally in [0, 1].
            multispectral: HR-MSI `B x c x H x W` with `H = ratio h`, `W = ratio w`.

        Returns:
            HR-HSI `B x C x H x W`, not clipped (the authors clamp it to [0, 1] in tests).

        Raises:
            ValueError: the images do not fit each other or the network.
        """
        pair = (observation, multispectral)
        check_pair("FusionMamba", *pair, self.input_channels, self.multispectral_channels, self.ratio)
        height, width = multispectral.shape[-2:]
        enlarged = mirror_to_multiple(self._enlarge(observation), MULTIPLE)
        streams = (
            functional.leaky_relu(self.spatial_stem(mirror_to_multiple(multispectral, MULTIPLE))),
            functional.leaky_relu(self.spectral_stem(enlarged)),
        )
        skips = []
        for block, halve in zip(self.blocks, self.halves, strict=False):
            skips.append(_mixed(block, streams))
            streams = (halve(skips[-1][0]), halve(skips[-1][1]))
        for block, up in zip(self.blocks[2:], self.raises, strict=False):
            spatial, spectral = _mixed(block, streams)
            skip = skips.pop()
            streams = (up(spatial, skip[0]), up(spectral, skip[1]))
        fused = self.blocks[-1](*streams)[2]
        result: Tensor = self.tail(fused) * self.band_attention(observation) + enlarged
        return result[..., :height, :width]


def _mixed(block: nn.Module, streams: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Both streams, each averaged with what a block fuses of them."""
    spatial, spectral, fused = block(*streams)
    return (spatial + fused) / 2, (spectral + fused) / 2


def _convolution(entering: int, leaving: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, kernel_size=3, padding=1, bias=bias)
