"""Parts of SFCSR (Wang et al., IEEE Trans. Industrial Electronics 2021): its stages, their fusion, the feature context.

The modules hold kernels under the structure of the published network. What they convolve with is worked out once per
forward pass: convolutions that follow each other with nothing but learned factors between them become one.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.weight_norm import WeightNormKernel, pointwise_after

__all__ = ["Convolution", "FeatureContext", "Fusion", "FusionKernels", "Stage", "StageKernels"]

Convolution = tuple[Tensor, Tensor]
"""Kernel and bias."""


class StageKernels(NamedTuple):
    """What a stage convolves with, computed once per forward pass."""

    space: tuple[Convolution, Convolution]
    bands: tuple[Convolution, Convolution]
    image: Convolution
    group: Tensor


class Stage(nn.Module):
    """One step of both branches; the 2-D branch receives the three bands of the 3-D branch."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.space = nn.ModuleList(WeightNormKernel(features, features, (1, 3, 3)) for _ in range(2))
        self.bands = nn.ModuleList(WeightNormKernel(features, features, (3, 1, 1)) for _ in range(2))
        self.image = WeightNormKernel(features, features, (3, 3))
        self.reduce = WeightNormKernel(4 * features, features, (1, 1))

    def kernels(self) -> StageKernels:
        """Normalise the kernels, and join the 2-D convolution, its skip and the reduction after it into one."""
        space = [cast("WeightNormKernel", layer) for layer in self.space]
        bands = [cast("WeightNormKernel", layer) for layer in self.bands]
        own, *groups = self.reduce().flatten(1).chunk(4, dim=1)
        skip = functional.pad(torch.eye(own.shape[0]).to(own)[..., None, None], (1, 1, 1, 1))
        kernel, bias = pointwise_after(own, self.image() + skip, self.image.bias)
        return StageKernels(
            space=((space[0]()[:, :, 0], space[0].bias), (space[1]()[:, :, 0], space[1].bias)),
            bands=((bands[0]()[..., 0, 0], bands[0].bias), (bands[1]()[..., 0, 0], bands[1].bias)),
            image=(kernel, bias + self.reduce.bias),
            group=torch.stack(groups, dim=-1),
        )


class FeatureContext(nn.Module):
    """Mixes the features of a band with what the band before left behind; the result is left for the next band."""

    def __init__(self, features: int, detach: bool) -> None:
        super().__init__()
        self.detach = detach
        self.gamma = nn.Parameter(torch.ones(2))
        self.reduce = WeightNormKernel(2 * features, features, (1, 1))
        self.mix = WeightNormKernel(features, features, (1, 1))

    def forward(self, features: Tensor, context: Tensor | None) -> Tensor:
        """Run through the bands in order.

        Args:
            features: `B x N x F x H x W`, of N bands that follow each other.
            context: `B x F x H x W`, left by the band before them; None where the first of them is the cube's first.

        Returns:
            Contexts `B x N x F x H x W`.
        """
        with torch.autocast(features.device.type, enabled=False):
            kernel, bias = pointwise_after(self.mix().flatten(1), self.reduce(), self.reduce.bias)
            own, before = (factor * half for factor, half in zip(self.gamma, kernel.chunk(2, dim=1), strict=True))
        mixed = functional.conv2d(features.flatten(0, 1), own, bias + self.mix.bias)
        contexts = []
        for index, band in enumerate(mixed.unflatten(0, features.shape[:2]).unbind(1)):
            if context is None:
                context = features[:, index]
            else:
                context = band + functional.conv2d(context.detach() if self.detach else context, before)
            contexts.append(context)
        return torch.stack(contexts, dim=1)


class FusionKernels(NamedTuple):
    """What the outputs of all stages are fused with, computed once per forward pass."""

    groups: Tensor
    group_space: Convolution
    group_bands: Tensor
    images: Tensor
    image_bias: Tensor
    image_space: Convolution


class Fusion(nn.Module):
    """Weighted outputs of all stages, reduced per branch, and the two branches joined into features of a band."""

    def __init__(self, features: int, stages: int) -> None:
        super().__init__()
        self.gamma_groups = nn.Parameter(torch.ones(stages))
        self.gamma_images = nn.Parameter(torch.ones(stages))
        self.gamma_join = nn.Parameter(torch.ones(4))
        self.reduce_groups = WeightNormKernel(features * stages, features, (1, 1, 1))
        self.groups_space = WeightNormKernel(features, features, (1, 3, 3))
        self.groups_bands = WeightNormKernel(features, features, (3, 1, 1))
        self.reduce_images = WeightNormKernel(features * stages, features, (1, 1))
        self.images_space = WeightNormKernel(features, features, (3, 3))
        self.join = WeightNormKernel(4 * features, features, (1, 1))
        self.mix = WeightNormKernel(features, features, (1, 1))

    def kernels(self) -> FusionKernels:
        """Join the linear layers behind the two spatial convolutions into one mixing per band of the group."""
        mixing, bias = pointwise_after(self.mix().flatten(1), self.join().flatten(2), self.join.bias)
        shares = [factor * share for factor, share in zip(self.gamma_join, mixing[..., 0].chunk(4, dim=1), strict=True)]
        over_bands = self.groups_bands()[..., 0, 0]
        # Band d of the group is mixed from band e with tap e - d + 1 of the convolution over bands.
        group_bands = [
            sum((shares[d] @ over_bands[..., e - d + 1] for d in range(3) if abs(e - d) <= 1), torch.zeros(()).to(bias))
            for e in range(3)
        ]
        bias = bias + self.mix.bias + (shares[0] + shares[1] + shares[2]) @ self.groups_bands.bias
        kernel, offset = pointwise_after(shares[3], self.images_space(), self.images_space.bias)
        stages = len(self.gamma_groups)
        groups = self.reduce_groups().flatten(1).unflatten(1, (stages, -1)) * self.gamma_groups[:, None]
        images = self.reduce_images().flatten(1).unflatten(1, (stages, -1)) * self.gamma_images[:, None]
        return FusionKernels(
            groups=groups.transpose(0, 1)[..., None, None],
            group_space=(self.groups_space()[:, :, 0], self.groups_space.bias),
            group_bands=torch.stack(group_bands, dim=-1),
            images=images.transpose(0, 1)[..., None, None],
            image_bias=self.reduce_images.bias,
            image_space=(kernel, bias + offset),
        )
