"""TRQ3DNet, quasi-recurrent convolutions beside transformers (Pang, Gu and Cao, Remote Sensing 14(18), 2022).

Two branches run through one encoder and decoder: quasi-recurrent layers on `B x C x bands x H x W` features, and
window transformers (Uformer's) on `B x C x H x W` features. In every layer 1 x 1 bridges add either branch to the
other. Facts of the published network kept here: batch normalisation stands before each convolution; the first and the
last quasi-recurrent layer are bidirectional, the others alternate their direction; the transformer branch receives
the recurrent branch's *input* of the layer, the recurrent branch the transformer's *output*.

The published code takes square images only (it takes the root of the token count) whose side divides by
8 * 2^(strided layers); here any image is padded by reflection and cropped: the same result on every size the published
code accepts. Its files hold tensors only (`net`, without prefix) and load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.layers.lewin_transformer import LeWinBlock
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.pointwise import NormalisedPointwise
from lightning_modules.networks.layers.quasi_recurrent import Direction, Kind, QuasiRecurrentLayer

__all__ = ["TRQ3DNet"]

Change = Literal["none", "down", "up"]


class TransformerBranch(nn.Module):
    """Two window transformer blocks, the second with shifted windows, then a change of resolution."""

    def __init__(self, channels: int, hidden: int, change: Change, heads: int, window: int, mlp_ratio: float) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(LeWinBlock(channels, heads, window, shift, mlp_ratio) for shift in (0, window // 2))
        )
        self.resample: nn.Module = nn.Identity()
        if change == "down":
            self.resample = nn.Conv2d(channels, hidden, kernel_size=4, stride=2, padding=1)
        elif change == "up":
            self.resample = nn.ConvTranspose2d(channels, hidden, kernel_size=2, stride=2)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x channels x H x W` to `B x hidden x H' x W'`."""
        tokens = self.blocks(features.permute(0, 2, 3, 1).contiguous())
        resampled: Tensor = self.resample(tokens.permute(0, 3, 1, 2))
        return resampled


class CoupledLayer(nn.Module):
    """One layer of both branches and the bridges between them."""

    def __init__(
        self, bands: int, recurrent: QuasiRecurrentLayer, transformer: TransformerBranch, channels: int, hidden: int
    ) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.transformer = transformer
        self.to_bands = NormalisedPointwise(channels, 1, 3)
        self.to_transformer = NormalisedPointwise(bands, channels, 2)
        self.from_transformer = NormalisedPointwise(hidden, bands, 2)
        self.from_bands = NormalisedPointwise(1, hidden, 3)
        self.project = NormalisedPointwise(hidden, hidden, 3)

    def forward(self, volume: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map `B x channels x bands x H x W` and `B x channels x H x W` features to those of the next layer."""
        image = self.transformer(image + self.to_transformer(self.to_bands(volume).squeeze(1)))
        bridge = self.from_bands(self.from_transformer(image).unsqueeze(1))
        return self.project(self.recurrent(volume) + bridge), image


class TRQ3DNet(nn.Module):
    """Quasi-recurrent and transformer network for cubes of a fixed number of bands; any height, width and batch.

    Without arguments this is the published network for 31 bands (679 107 parameters).

    Args:
        input_channels: spectral bands of the cube (published names: `in_channels_tr`, `med_channels`).
        channels: feature channels of the first layer, the same in both branches; every strided layer doubles them.
        depth: layers of the encoder, and of the decoder (published name: `num_half_layer`).
        strided_layers: encoder layers, counted from 0, that halve height and width (published name: `sample_idx`); the
            mirrored decoder layers double them again.
        num_heads: attention heads; must divide `channels`.
        window_size: side of the attention windows in pixels, even.
        mlp_ratio: hidden over feature channels of the feed-forward parts.
        alternating: alternate the recurrence's direction from layer to layer (published name: `has_ad`); otherwise
            all layers but the first and the last run forward.

    Raises:
        ValueError: when a count is below 1, the heads do not divide the channels, the window is odd, or a strided
            layer is repeated or not one of the encoder's.
    """

    official_derived: ClassVar[Sequence[str]] = (r"\.relative_position_index$",)
    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^feature_extractor_qrnn\.", "extract_volume."),
        (r"^feature_extractor_tr\.proj\.0\.", "extract_image."),
        (r"^feature_extractor_tr\.norm\.", "extract_norm."),
        (r"^reconstructor_qrnn\.", "reconstruct_volume."),
        (r"^reconstructor_tr\.proj\.0\.", "reconstruct_image.0."),
        (r"^reconstructor_tr\.norm\.", "reconstruct_image.1."),
        (r"^(encoder|decoder)\.layers\.", r"\1."),
        (r"\.bi_qrnn_tr\.layer_0\.", ".to_bands."),
        (r"\.bi_qrnn_tr\.layer_1\.", ".to_transformer."),
        (r"\.bi_tr_qrnn\.layer_0\.", ".from_transformer."),
        (r"\.bi_tr_qrnn\.layer_1\.", ".from_bands."),
        (r"\.qrnn_layer\.", ".recurrent."),
        (r"\.sample_layer\.(de)?conv\.0\.", ".transformer.resample."),
        (r"\.conv\.(upsample_conv\.conv3d|conv|deconv)\.", ".gates."),
        (r"(\.conv)?\.bn\.", ".norm."),
        (r"^((en|de)coder\.\d+)\.proj\.", r"\1.project."),
        (r"\.tr_layer\.", ".transformer."),
        (r"\.attn\.relative_position_bias_table$", ".attention.bias_table"),
        (r"\.attn\.qkv\.to_q\.", ".attention.query."),
        (r"\.attn\.qkv\.to_kv\.", ".attention.key_value."),
        (r"\.attn\.proj\.", ".attention.project."),
        (r"\.mlp\.linear1\.0\.", ".feed_forward.widen."),
        (r"\.mlp\.dwconv\.0\.", ".feed_forward.depthwise."),
        (r"\.mlp\.linear2\.0\.", ".feed_forward.narrow."),
    )

    def __init__(
        self,
        input_channels: int = 31,
        channels: int = 16,
        depth: int = 4,
        strided_layers: Sequence[int] = (1, 3),
        num_heads: int = 4,
        window_size: int = 8,
        mlp_ratio: float = 2.0,
        alternating: bool = True,
    ) -> None:
        super().__init__()
        strided = set(strided_layers)
        _check_settings(input_channels, channels, depth, strided_layers, num_heads, window_size)
        self.input_channels = input_channels
        self.multiple = window_size * 2 ** len(strided)
        self.extract_volume = QuasiRecurrentLayer(1, channels, "both", normalised=True)
        self.extract_image = nn.Conv2d(input_channels, channels, kernel_size=3, padding=1)
        self.extract_norm = nn.LayerNorm(channels)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        width = channels
        for number in range(2 * depth):
            decoding = number >= depth
            changes = (2 * depth - 1 - number if decoding else number) in strided
            hidden = (width // 2 if decoding else width * 2) if changes else width
            direction: Direction = "backward" if alternating and number % 2 else "forward"
            kinds: tuple[Kind, Kind] = ("upsampled", "transposed") if decoding else ("strided", "convolution")
            kind = kinds[0] if changes else kinds[1]
            change: Change = ("up" if decoding else "down") if changes else "none"
            transformer = TransformerBranch(width, hidden, change, num_heads, window_size, mlp_ratio)
            recurrent = QuasiRecurrentLayer(width, hidden, direction, kind, normalised=True)
            layer = CoupledLayer(input_channels, recurrent, transformer, width, hidden)
            (self.decoder if decoding else self.encoder).append(layer)
            width = hidden
        self.reconstruct_volume = QuasiRecurrentLayer(channels, 1, "both", "transposed", normalised=True, bias=True)
        self.reconstruct_image = nn.Sequential(
            nn.Conv2d(channels, input_channels, kernel_size=3, padding=1), nn.BatchNorm2d(input_channels)
        )
        self.merge = nn.Conv2d(2 * input_channels, input_channels, kernel_size=1)
        self.apply(_initialise)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: degraded cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x H x W`, not clipped.
        """
        height, width = observation.shape[-2:]
        padded = pad_to_multiple(observation, self.multiple)
        volume = self.extract_volume(padded.unsqueeze(1))
        shallow = nn.functional.leaky_relu(self.extract_image(padded), 0.01)
        image = self.extract_norm(shallow.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        skips: list[tuple[Tensor, Tensor]] = []
        for layer in self.encoder:
            skips.append((volume, image))
            volume, image = layer(volume, image)
        # The deepest features have no skip; every other one, the extractors' last, is added after a decoder layer.
        for layer in self.decoder:
            volume, image = layer(volume, image)
            volume, image = (one + skip for one, skip in zip((volume, image), skips.pop(), strict=True))
        branches = (self.reconstruct_volume(volume).squeeze(1) + padded, self.reconstruct_image(image) + padded)
        restored: Tensor = self.merge(torch.cat(branches, dim=1))
        return restored[..., :height, :width]


def _check_settings(
    bands: int, channels: int, depth: int, strided_layers: Sequence[int], heads: int, window: int
) -> None:
    """Refuse settings that cannot be built, in one sentence."""
    if min(bands, channels, depth, heads) < 1:
        raise InputError(
            f"TRQ3DNet: input_channels {bands}, channels {channels}, depth {depth} and num_heads {heads} must all be "
            "at least 1; raise them."
        )
    if channels % heads:
        raise InputError(f"TRQ3DNet: num_heads {heads} does not divide channels {channels}; choose a divisor.")
    if window < 2 or window % 2:
        raise InputError(f"TRQ3DNet: window_size {window} is not even; choose an even number of pixels, such as 8.")
    if len(set(strided_layers)) != len(strided_layers) or not set(strided_layers) <= set(range(depth)):
        raise InputError(
            f"TRQ3DNet: strided_layers {list(strided_layers)} are not different layers of 0 to {depth - 1}; "
            "name encoder layers, each once."
        )


def _initialise(module: nn.Module) -> None:
    """Draw the published initial weights: Kaiming (fan out) convolutions, linear layers N(0, 0.001^2)."""
    if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.Linear)):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=1e-3)
        else:
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
