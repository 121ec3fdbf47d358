"""SSUMamba, the spatial-spectral selective state space network (Fu et al., IEEE TGRS 2024, arXiv 2405.01726).

A residual 3-D U-Net over (band, row, column) with one feature channel at its ends, so it restores any number of
bands. Every encoder stage ends in a bidirectional Mamba layer that reads all voxels as one sequence, in another axis
order at each stage and in serpentine rows (the published spatial-spectral continuous scan, `SSUMamba_SSCS`).

Facts of the published network kept here: there is no skip around a Mamba layer and none from the input cube to the
output (`conv_last` reads the last head plus the output of `conv_first`); the decoder adds the encoder's features
instead of joining them; the first kernels span one band; biases of convolutions before an instance normalisation
cancel; the heads of the four coarser decoder stages are computed and thrown away there, so they are kept here for the
checkpoints only, without gradients (12 416 of the 10 372 225 parameters). Instance normalisations and
scans see the whole cube, so tiles differ from it; the published inference takes blocks of 64 with an overlap of 7.

Done differently with the same result: 1 x 1 x 1 convolutions before the nearest upsampling instead of after it, and
voxel orders by one index instead of masked flips.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.layers.mamba import Mamba, reorder
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.scan_orders import axis_order, inverse
from lightning_modules.networks.layers.selective_scan import Backend

__all__ = ["SSUMamba"]

AXES = "bhw"
NEGATIVE_SLOPE = 0.01


class ResidualBlock3d(nn.Module):
    """Two convolutions with instance normalisation and a skip, activated after the sum.

    Args:
        input_channels: feature channels entering.
        channels: feature channels leaving.
        kernel: kernel size along (bands, height, width), odd.
        stride: subsampling of height and width by the first convolution.
        projected: 1 x 1 x 1 convolution on the skip; needed where channels or sizes change.
    """

    def __init__(
        self, input_channels: int, channels: int, kernel: tuple[int, int, int], stride: int = 1, projected: bool = False
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        strides = (1, stride, stride)
        self.conv1 = nn.Conv3d(input_channels, channels, kernel, stride=strides, padding=padding)
        self.norm1 = nn.InstanceNorm3d(channels, affine=True)
        self.conv2 = nn.Conv3d(channels, channels, kernel, padding=padding)
        self.norm2 = nn.InstanceNorm3d(channels, affine=True)
        self.skip = nn.Conv3d(input_channels, channels, kernel_size=1, stride=strides) if projected else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x Ci x bands x H x W` features to `B x Co x bands x H/stride x W/stride`."""
        hidden = functional.leaky_relu_(self.norm1(self.conv1(features)), NEGATIVE_SLOPE)
        # No backward pass reads the output of a normalisation: the sum goes into it.
        hidden = self.norm2(self.conv2(hidden)).add_(self.skip(features))
        return functional.leaky_relu_(hidden, NEGATIVE_SLOPE)


class VoxelMamba(nn.Module):
    """Layer normalisation and bidirectional Mamba over all voxels of a feature cube, without a skip.

    Args:
        channels: feature channels, the width of a token.
        axes: order of the lattice axes, slowest first, as a word of `b` (bands), `h` (rows) and `w` (columns).
        continuous: serpentine order, in which each voxel is a neighbour of the one before.
        state_dim: states of each inner channel.
        conv_width: positions that the depthwise convolution sees.
        expand: inner over outer channels.
        backend: implementation of the selective scan.
    """

    def __init__(
        self,
        channels: int,
        axes: str,
        continuous: bool = True,
        state_dim: int = 16,
        conv_width: int = 4,
        expand: int = 2,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.axes = tuple(AXES.index(axis) for axis in axes)
        self.continuous = continuous
        self.norm = nn.LayerNorm(channels)
        self.mamba = Mamba(channels, state_dim, conv_width, expand, backend=backend)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x bands x H x W` features to features of the same shape, in float32 at least."""
        order, back = _voxel_order(tuple(features.shape[2:]), self.axes, self.continuous, features.device)
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(torch.promote_types(features.dtype, torch.float32))
            tokens = reorder(self.norm(features.flatten(2).mT), order, back)
            mixed = reorder(self.mamba(tokens), back, order)
        return mixed.mT.reshape(features.shape)


@functools.lru_cache(maxsize=32)
def _voxel_order(
    sizes: tuple[int, ...], axes: tuple[int, ...], continuous: bool, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Order of the voxels of a cube and the order that undoes it, kept for the next cube of the same size."""
    with torch.inference_mode(False):
        order = axis_order(sizes, axes, continuous=continuous)
        return order.to(device), inverse(order).to(device)


class SSUMamba(nn.Module):
    """Spatial-spectral Mamba U-Net for cubes of any number of bands, any height, width and batch.

    Without arguments this is the published network (10 372 225 parameters). Sides that do not divide by the product of
    the strides (8) are continued by reflection and the result is cropped; the published code refuses them. The
    authors' Lightning checkpoints hold 298 further names for the same tensors (the decoder holds the encoder, and
    `all_modules` repeats convolutions and normalisations); `official_names` sends each to the one tensor it means.

    A cube of 31 x 512 x 512 does not fit most machines at once: restore it in tiles of 64, as published. Training
    memory grows with the number of voxels, not with voxels times states.

    Args:
        features: feature channels of each encoder stage.
        strides: subsampling of height and width at the start of each stage; the first must be 1.
        band_kernels: kernel size along the bands of each stage (the stem takes the first), odd.
        encoder_blocks: residual blocks of each encoder stage; the stem has as many as the first.
        decoder_blocks: residual blocks of each decoder stage, from the deepest up.
        token_orders: axes of each stage's sequence, slowest first: words of `b` (bands), `h` (rows), `w` (columns).
        continuous: serpentine sequences; False is the paper's ablation.
        state_dim: states of each inner channel of the Mamba layers.
        conv_width: positions that their depthwise convolution sees.
        expand: their inner over outer channels.
        scan_backend: implementation of the selective scan.

    Raises:
        ValueError: when the stages' settings differ in length, the first stride is not 1, a kernel is even, or a token
            order does not name each axis once.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^decoder\.encoder\.", "encoder."),
        (r"\.all_modules\.0\.", ".conv."),
        (r"\.all_modules\.1\.", ".norm."),
        (r"\.conv(\d)\.(conv|norm)\.", r".\2\1."),
        (r"\.conv3\.", ".skip."),
        (r"^encoder\.stem\.", "stem."),
        (r"^encoder\.mamba_layers\.", "mixers."),
        (r"^encoder\.stages\.", "encoder."),
        (r"^decoder\.stages\.", "decoder."),
        (r"^decoder\.upsample_layers\.(\d)\.conv\.", r"up.\1."),
        (r"^decoder\.seg_layers\.", "heads."),
        (r"\.mamba\.(A_log|D)$", r".mamba.directions.0.\1"),
        (r"\.mamba\.A_b_log$", ".mamba.directions.1.A_log"),
        (r"\.mamba\.D_b$", ".mamba.directions.1.D"),
        (r"\.mamba\.(conv1d|x_proj|dt_proj)\.", r".mamba.directions.0.\1."),
        (r"\.mamba\.(conv1d|x_proj|dt_proj)_b\.", r".mamba.directions.1.\1."),
    )

    def __init__(
        self,
        features: Sequence[int] = (32, 64, 64, 128, 128, 256),
        strides: Sequence[int] = (1, 2, 1, 2, 1, 2),
        band_kernels: Sequence[int] = (1, 3, 3, 3, 3, 3),
        encoder_blocks: Sequence[int] = (2, 2, 2, 1, 1, 1),
        decoder_blocks: Sequence[int] = (2, 2, 2, 1, 1),
        token_orders: Sequence[str] = ("bhw", "wbh", "bwh", "hwb", "whb", "hbw"),
        continuous: bool = True,
        state_dim: int = 16,
        conv_width: int = 4,
        expand: int = 2,
        scan_backend: Backend = "auto",
    ) -> None:
        super().__init__()
        _check(features, strides, band_kernels, encoder_blocks, decoder_blocks, token_orders)
        self.strides = tuple(strides)
        self.multiple = math.prod(strides)
        width = features[0]
        kernels = [(bands, 3, 3) for bands in band_kernels]
        self.conv_first = nn.Conv3d(1, width, kernel_size=3, padding=1)
        self.stem = _stage(width, width, kernels[0], 1, encoder_blocks[0])
        self.encoder = nn.ModuleList(
            _stage(*sizes)
            for sizes in zip([width, *features[:-1]], features, kernels, strides, encoder_blocks, strict=True)
        )
        self.mixers = nn.ModuleList(
            VoxelMamba(channels, axes, continuous, state_dim, conv_width, expand, scan_backend)
            for channels, axes in zip(features, token_orders, strict=True)
        )
        upwards = list(zip(features[-2::-1], kernels[-2::-1], decoder_blocks, strict=True))
        self.up = nn.ModuleList(
            nn.Conv3d(below, above, kernel_size=1) for below, above in itertools.pairwise(features[::-1])
        )
        self.decoder = nn.ModuleList(
            _stage(channels, channels, kernel, 1, blocks) for channels, kernel, blocks in upwards
        )
        self.heads = nn.ModuleList(nn.Conv3d(channels, width, kernel_size=1) for channels, _, _ in upwards)
        self.heads[:-1].requires_grad_(False)
        self.conv_last = nn.Conv3d(width, 1, kernel_size=3, padding=1)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: degraded cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x H x W`, not clipped.

        Raises:
            ValueError: when the deepest stage is left with a single voxel, which has no variance to normalise by.
        """
        height, width = observation.shape[-2:]
        padded = pad_to_multiple(observation, self.multiple)
        if math.prod(padded.shape[1:]) <= self.multiple**2:
            raise InputError(
                f"SSUMamba: one band of {height} x {width} pixels leaves a single voxel after its strides, which "
                f"cannot be normalised; give more bands or an image larger than {self.multiple} x {self.multiple}."
            )
        shallow = self.conv_first(padded.unsqueeze(1))
        current = self.stem(shallow)
        skips = []
        for stage, mixer in zip(self.encoder, self.mixers, strict=True):
            current = mixer(stage(current))
            skips.append(current)
        current = skips.pop()
        for up, stage, stride in zip(self.up, self.decoder, reversed(self.strides), strict=False):
            raised = up(current)
            if stride > 1:
                raised = functional.interpolate(raised, scale_factor=(1, stride, stride), mode="nearest")
            current = stage(raised.add_(skips.pop()))
        restored: Tensor = self.conv_last(self.heads[-1](current).add_(shallow)).squeeze(1)
        return restored[..., :height, :width]


def _stage(input_channels: int, channels: int, kernel: tuple[int, int, int], stride: int, blocks: int) -> nn.Sequential:
    """Residual blocks of one resolution; the first has a convolution on its skip, as published."""
    first = ResidualBlock3d(input_channels, channels, kernel, stride, projected=True)
    return nn.Sequential(first, *(ResidualBlock3d(channels, channels, kernel) for _ in range(blocks - 1)))


def _check(
    features: Sequence[int],
    strides: Sequence[int],
    band_kernels: Sequence[int],
    encoder_blocks: Sequence[int],
    decoder_blocks: Sequence[int],
    token_orders: Sequence[str],
) -> None:
    """Refuse settings that cannot be built, in one sentence."""
    stages = len(features)
    lengths = [len(setting) for setting in (strides, band_kernels, encoder_blocks, token_orders)]
    if set(lengths) != {stages} or len(decoder_blocks) != stages - 1 or stages < 2:
        raise InputError(
            f"SSUMamba: {stages} features but {lengths} strides, band_kernels, encoder_blocks and token_orders and "
            f"{len(decoder_blocks)} decoder_blocks; give each one value per stage, decoder_blocks one fewer, and at "
            "least two stages."
        )
    if strides[0] != 1 or min(strides) < 1 or min((*features, *encoder_blocks, *decoder_blocks)) < 1:
        raise InputError(
            f"SSUMamba: strides {list(strides)} must begin with 1, and features {list(features)}, encoder_blocks "
            f"{list(encoder_blocks)} and decoder_blocks {list(decoder_blocks)} be at least 1; correct these settings."
        )
    if any(kernel < 1 or kernel % 2 == 0 for kernel in band_kernels):
        raise InputError(f"SSUMamba: band_kernels {list(band_kernels)} must be odd, as 1 or 3; correct these settings.")
    for order in token_orders:
        if sorted(order) != sorted(AXES):
            raise InputError(
                f"SSUMamba: token order {order!r} does not name each of b (bands), h (rows) and w (columns) once; "
                "write for example 'bhw'."
            )
