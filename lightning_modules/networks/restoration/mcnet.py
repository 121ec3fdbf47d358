"""MCNet, the mixed 2D/3D convolutional network (Li et al., Remote Sensing 12(10):1660, 2020), for super-resolution.

Features keep one image per band. Every convolution is weight-normalised. A constant per band is taken off the
observation and added to the result; there is no bicubic skip. The global skip adds the features of the head, not of
the block before, after each block. The published class is called `MCNet` or `SSRNet`, by version of the code.

Band means. The published code carries one hard-coded list per data set, of 31 values for CAVE by default; it is not
part of its checkpoints. Here it is an argument: a list of one's own, or the name of a published list (weights trained
on Harvard need `harvard`). Without it, a network of 31 bands takes CAVE's list and one of any other number takes zeros,
which a network trained from scratch may as well use. The sixteenth value, 0.1187, is the same in all published lists of
31 bands, evidently by accident; it is kept, because weights were trained with it.

Efficiency, with equal results: the features lie innermost in memory, so both kinds of convolution are two-dimensional;
the 1 x 1 reduction of a block, the learned factors before it and the last convolutions of its three branches are linear
in a row and run as one; the last convolution has one output, so the transposed convolution before it computes its 27
products instead of 64 features of the large cube.

The authors' checkpoints hold `model` beside `epoch` and `optimizer`, which the loader recognises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.layers.band_images import band_neighbours, convolve_bands, convolve_space, sum_of_taps
from lightning_modules.networks.layers.weight_norm import WeightNormKernel, pointwise_after

__all__ = ["MCNet"]

BAND_MEANS: dict[str, tuple[float, ...]] = {
    "cave": (
        *(0.0939, 0.0950, 0.0869, 0.0839, 0.0850, 0.0809, 0.0769, 0.0762, 0.0788, 0.0790, 0.0834),
        *(0.0894, 0.0944, 0.0956, 0.0939, 0.1187, 0.0903, 0.0928, 0.0985, 0.1046, 0.1121, 0.1194),
        *(0.1240, 0.1256, 0.1259, 0.1272, 0.1291, 0.1300, 0.1352, 0.1428, 0.1541),
    ),
    "harvard": (
        *(0.0100, 0.0137, 0.0219, 0.0285, 0.0376, 0.0424, 0.0512, 0.0651, 0.0694, 0.0723, 0.0816),
        *(0.0950, 0.1338, 0.1525, 0.1217, 0.1187, 0.1337, 0.1481, 0.1601, 0.1817, 0.1752, 0.1445),
        *(0.1450, 0.1378, 0.1343, 0.1328, 0.1303, 0.1299, 0.1456, 0.1433, 0.1303),
    ),
    "icvl": (
        *(0.0944, 0.1143, 0.1297, 0.1368, 0.1599, 0.1853, 0.2029, 0.2149, 0.2278, 0.2275, 0.2311),
        *(0.2331, 0.2265, 0.2347, 0.2384, 0.1187, 0.2425, 0.2441, 0.2471, 0.2453, 0.2494, 0.2584),
        *(0.2597, 0.2547, 0.2552, 0.2434, 0.2386, 0.2385, 0.2326, 0.2112, 0.2227),
    ),
}
"""Mean of each band of the training cubes, as the published code lists them."""


class SeparableUnit(nn.Module):
    """A 3 x 3 convolution over space, then one of size 3 over bands, each followed by a ReLU."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.space = WeightNormKernel(features, features, (1, 3, 3))
        self.bands = WeightNormKernel(features, features, (3, 1, 1))

    def forward(self, images: Tensor, bands: int) -> Tensor:
        """Map band images `B*D x F x H x W` to band images of the same shape."""
        hidden = torch.relu_(convolve_space(images, self.space()[:, :, 0], self.space.bias))
        return torch.relu_(convolve_bands(hidden, self.bands()[..., 0, 0], self.bands.bias, bands))


class MixedBlock(nn.Module):
    """Three chains of separable units with skips, a 2-D branch after each, their reduction and one more unit."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.chains = nn.ModuleList(nn.ModuleList(SeparableUnit(features) for _ in range(units)) for _ in range(3))
        self.branches = nn.ModuleList(
            nn.ModuleList(WeightNormKernel(features, features, (3, 3)) for _ in range(2)) for _ in range(3)
        )
        self.gamma = nn.Parameter(torch.ones(3))
        self.reduce = WeightNormKernel(3 * features, features, (1, 1, 1))
        self.last = SeparableUnit(features)

    def forward(self, images: Tensor, bands: int) -> Tensor:
        """Map band images `B*D x F x H x W` to band images of the same shape."""
        chained, hidden = images, []
        for chain, branch in zip(self.chains, self.branches, strict=True):
            start = chained
            for unit in cast("nn.ModuleList", chain):
                chained = unit(chained, bands)
            chained = chained + start
            first = cast("WeightNormKernel", cast("nn.ModuleList", branch)[0])
            hidden.append(torch.relu_(convolve_space(chained, first(), first.bias)))
        reduced = torch.relu_(convolve_space(torch.cat(hidden, dim=1), *self._joint_reduction()))
        updated: Tensor = self.last(reduced + images, bands)
        return updated

    def _joint_reduction(self) -> tuple[Tensor, Tensor]:
        """Kernel and bias of the branches' second convolutions, the factors gamma and the reduction in one."""
        with torch.autocast(self.gamma.device.type, enabled=False):
            shares = self.reduce().flatten(1).chunk(3, dim=1)
            kernels: list[Tensor] = []
            bias: Tensor = self.reduce.bias
            for factor, share, branch in zip(self.gamma, shares, self.branches, strict=True):
                second = cast("WeightNormKernel", cast("nn.ModuleList", branch)[1])
                kernel, offset = pointwise_after(factor * share, second(), second.bias)
                kernels.append(kernel)
                bias = bias + offset
            return torch.cat(kernels, dim=1), bias


class MCNet(nn.Module):
    """Enlarge cubes of any number of bands (with band means: of that number); any height, width and batch.

    Without arguments this is the published network for 31 bands and x4 (2 174 094 parameters), with CAVE's band means.

    Args:
        input_channels: spectral bands C of the cube. The weights do not depend on it, only the band means do.
        features: feature channels per band.
        units: separable units in each chain of a block (published name: `n_conv`).
        scale: spatial factor, at least 2; 2, 3, 4 and 8 are usual.
        band_means: mean of each band, which is taken off the observation and added to the result: a list, or the
            published list of `cave`, `harvard` or `icvl`; without it CAVE's for 31 bands and zeros otherwise.

    Raises:
        ValueError: when the number of means is not the number of bands, the list is unknown, or the scale is below 2.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^SSRM1\.", "blocks.0."),
        (r"^SSRM2\.", "blocks.1."),
        (r"^SSRM3\.", "blocks.2."),
        (r"^SSRM4\.", "blocks.3."),
        (r"\.Block1\.", ".chains.0."),
        (r"\.Block2\.", ".chains.1."),
        (r"\.Block3\.", ".chains.2."),
        (r"\.Conv\.", ".last."),
        (r"\.conv\.0\.conv\.", ".space."),
        (r"\.conv\.1\.conv\.", ".bands."),
        (r"\.reduceF\.conv\.", ".reduce."),
        (r"\.conv1\.", ".branches.0."),
        (r"\.conv2\.", ".branches.1."),
        (r"\.conv3\.", ".branches.2."),
        (r"(\.branches\.\d)\.2\.", r"\1.1."),
        (r"^tail\.0\.", "enlarge."),
        (r"^tail\.1\.", "conv_last."),
        (r"^head\.", "conv_first."),
    )

    band_means: Tensor

    def __init__(
        self,
        input_channels: int = 31,
        features: int = 64,
        units: int = 1,
        scale: int = 4,
        band_means: Sequence[float] | Literal["cave", "harvard", "icvl"] | None = None,
    ) -> None:
        super().__init__()
        if scale < 2:
            raise InputError(f"MCNet: scale {scale} is below 2; give the whole factor of the task, such as 4.")
        self.input_channels = input_channels
        self.scale = scale
        means = torch.tensor(_chosen_means(band_means, input_channels))
        self.register_buffer("band_means", means[:, None, None], persistent=False)
        self.conv_first = WeightNormKernel(1, features, (3, 3, 3))
        self.blocks = nn.ModuleList(MixedBlock(features, units) for _ in range(4))
        self.enlarge = WeightNormKernel(features, features, (3, scale + 2, scale + 2), transposed=True)
        self.conv_last = WeightNormKernel(features, 1, (3, 3, 3))

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: low-resolution cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x scale*H x scale*W`, not clipped.

        Raises:
            ValueError: when the cube has another number of bands than the network has means.
        """
        bands = observation.shape[1]
        if bands != self.input_channels:
            raise InputError(
                f"MCNet: the cube has {bands} bands but the network has means of {self.input_channels}; "
                "set input_channels, and band_means unless they are to be zero."
            )
        neighbours = band_neighbours(observation - self.band_means)
        first = convolve_space(neighbours, self.conv_first()[:, 0], self.conv_first.bias)
        images = first
        for block in self.blocks:
            images = block(images, bands) + first
        enlarged = self._enlarged(images.unflatten(0, (-1, bands)).transpose(1, 2))
        return enlarged + self.band_means

    def _enlarged(self, features: Tensor) -> Tensor:
        """Apply the transposed and the last convolution to features `B x F x C x H x W`, giving the large cube."""
        with torch.autocast(features.device.type, enabled=False):
            # Products of the last convolution's 27 weights with the features that the transposed one would make.
            taps = self.conv_last()[0].flatten(1)
            kernel = torch.einsum("iozyx,ot->itzyx", self.enlarge(), taps)
            bias = self.enlarge.bias @ taps
        stride = (1, self.scale, self.scale)
        products = functional.conv_transpose3d(features, kernel, bias, stride=stride, padding=1)
        summed = products.unflatten(1, (3, 3, 3)).permute(1, 2, 3, 0, 4, 5, 6)
        for axis in (-3, -2, -1):
            summed = sum_of_taps(summed, axis)
        enlarged: Tensor = (summed + self.conv_last.bias).contiguous()
        return enlarged


def _chosen_means(band_means: Sequence[float] | str | None, bands: int) -> tuple[float, ...]:
    """Band means as the constructor's argument names them, or a sentence."""
    if band_means is None:
        return BAND_MEANS["cave"] if bands == len(BAND_MEANS["cave"]) else (0.0,) * bands
    if isinstance(band_means, str) and band_means not in BAND_MEANS:
        raise InputError(f"MCNet: band_means {band_means!r} is unknown; give {', '.join(BAND_MEANS)} or a list.")
    means = BAND_MEANS[band_means] if isinstance(band_means, str) else tuple(band_means)
    if len(means) != bands:
        raise InputError(
            f"MCNet: band_means has {len(means)} values but input_channels is {bands}; give one mean for each band."
        )
    return means
