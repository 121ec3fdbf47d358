"""SFCSR, super-resolution by spectrum and feature context (Wang et al., IEEE Trans. Industrial Electronics 2021).

Each band is restored from the group of itself and its two neighbours (3-D branch) and from itself (2-D branch); what
the band before left behind, its feature context, is mixed in. The first and the last band take the groups of the bands
beside them. There is no bicubic skip.

The published class restores one band per call and is called band after band. The forward pass here takes the cube:
all that does not depend on the context runs for many bands at once, and only the mixing of contexts, two 1 x 1
convolutions, runs in sequence. Results are equal. `SFCSR.restore_band` is the published call, for the authors' training
with one optimiser step per band (`BandwiseRestorationModule`).

Efficiency: features lie innermost in memory, so all convolutions are two-dimensional; bands that share a group share
its 3-D branch; convolutions that follow each other with nothing but learned factors between them run as one. The last
convolution has one output, so the upsampling convolution before it computes its nine products instead of 64 features
of the large image.

The authors' checkpoints hold `model` beside `epoch` and `optimizer`, which the loader recognises. Only the later
version of their code fits, whose 2-D units hold one convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.layers.band_images import collapse_bands, convolve_bands, convolve_space, sum_of_taps
from lightning_modules.networks.layers.feature_context import (
    Convolution,
    FeatureContext,
    Fusion,
    FusionKernels,
    Stage,
    StageKernels,
)
from lightning_modules.networks.layers.weight_norm import WeightNormKernel

__all__ = ["SFCSR"]

PIXELS_AT_ONCE = 65_536
"""Low-resolution pixels of all bands that are restored together where no gradient is wanted, to bound the memory."""


def _factors(scale: int) -> list[int]:
    """Step in which the published code enlarges: twos, or one three."""
    return [3] if scale == 3 else [2] * (scale.bit_length() - 1)


class Kernels(NamedTuple):
    """What the network convolves with, computed once per forward pass."""

    stages: list[StageKernels]
    fusion: FusionKernels
    tail: list[Convolution]
    products: Convolution


class SFCSR(nn.Module):
    """Enlarge cubes of three bands or more; any height, width and batch.

    Without arguments this is the published network for x4 (1 232 850 parameters).

    Args:
        features: feature channels per band.
        stages: steps of the two branches (published name: `n_module`).
        scale: spatial factor: 2, 3, 4, 8 or another power of two.
        detach_context: keep gradients from flowing from a band into the bands before it, as the authors' training
            does; False lets them flow.

    Raises:
        ValueError: when the scale is not supported or there is no stage.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^gamma_X$", "fusion.gamma_groups"),
        (r"^gamma_Y$", "fusion.gamma_images"),
        (r"^gamma_DFF$", "fusion.gamma_join"),
        (r"^gamma_FCF$", "context.gamma"),
        (r"^ThreeHead\.0\.", "group_head.space."),
        (r"^ThreeHead\.1\.", "group_head.bands."),
        (r"^TwoHead\.0\.", "image_head."),
        (r"^TwoTail\.", "tail."),
        (r"^twoCNN\.(\d+)\.body\.", r"stages.\1.image."),
        (r"^threeCNN\.(\d+)\.body_spatial\.", r"stages.\1.space."),
        (r"^threeCNN\.(\d+)\.body_spectral\.", r"stages.\1.bands."),
        (r"^reduceD\.(\d+)\.", r"stages.\1.reduce."),
        (r"^reduceD_X\.", "fusion.reduce_groups."),
        (r"^threefusion\.0\.", "fusion.groups_space."),
        (r"^threefusion\.1\.", "fusion.groups_bands."),
        (r"^reduceD_Y\.", "fusion.reduce_images."),
        (r"^twofusion\.", "fusion.images_space."),
        (r"^reduceD_DFF\.", "fusion.join."),
        (r"^conv_DFF\.", "fusion.mix."),
        (r"^reduceD_FCF\.", "context.reduce."),
        (r"^conv_FCF\.", "context.mix."),
    )

    def __init__(self, features: int = 64, stages: int = 5, scale: int = 4, detach_context: bool = True) -> None:
        super().__init__()
        if scale < 2 or (scale != 3 and scale & (scale - 1)):
            raise InputError(f"SFCSR: scale {scale} is not supported; choose 3 or a power of two such as 4.")
        if stages < 1:
            raise InputError(f"SFCSR: stages is {stages}; give at least 1 (published: 5).")
        self.scale = scale
        self.group_head = nn.ModuleDict(
            {
                "space": WeightNormKernel(1, features, (1, 3, 3)),
                "bands": WeightNormKernel(features, features, (3, 1, 1)),
            }
        )
        self.image_head = WeightNormKernel(1, features, (3, 3))
        self.stages = nn.ModuleList(Stage(features) for _ in range(stages))
        self.fusion = Fusion(features, stages)
        self.context = FeatureContext(features, detach_context)
        self.tail = nn.ModuleList()
        for factor in _factors(scale):
            self.tail.extend([WeightNormKernel(features, features * factor**2, (3, 3)), nn.PixelShuffle(factor)])
        self.tail.append(WeightNormKernel(features, 1, (3, 3)))

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: low-resolution cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x scale*H x scale*W`, not clipped.

        Raises:
            ValueError: when the cube has fewer than three bands.
        """
        bands = observation.shape[1]
        at_once = bands
        if not torch.is_grad_enabled():
            at_once = max(1, min(bands, PIXELS_AT_ONCE // observation[:, 0].numel()))
        kernels = self._kernels(observation)
        restored, context = [], None
        for start in range(0, bands, at_once):
            piece, context = self._restore(observation, start, min(start + at_once, bands), context, kernels)
            restored.append(piece)
        return torch.cat(restored, dim=1)

    def restore_band(self, observation: Tensor, band: int, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Restore one band, for training with an optimiser step per band.

        Args:
            observation: low-resolution cube `B x C x H x W`.
            band: index of the band.
            context: what the call for the band before returned; None for band 0.

        Returns:
            The restored band, `B x 1 x scale*H x scale*W`, and the context for the next band, `B x F x H x W`.

        Raises:
            ValueError: when the cube has fewer than three bands, or a later band comes without a context.
        """
        if band and context is None:
            raise InputError(f"SFCSR: band {band} needs the context of band {band - 1}; restore the bands in order.")
        return self._restore(observation, band, band + 1, context, self._kernels(observation))

    def _kernels(self, observation: Tensor) -> Kernels:
        """Normalise and join all kernels, in float32 under autocast too."""
        if observation.shape[1] < 3:
            raise InputError(
                f"SFCSR: the cube has {observation.shape[1]} bands but a band is restored from a group of three; "
                "give cubes of at least 3 bands."
            )
        with torch.autocast(observation.device.type, enabled=False):
            *enlarging, last = (layer for layer in self.tail if isinstance(layer, WeightNormKernel))
            tail: list[Convolution] = [(layer(), layer.bias) for layer in enlarging]
            # Products of the last convolution's nine weights with the features that the one before it would make.
            kernel, bias = tail.pop()
            taps = last()[0].flatten(1)
            kernel = torch.einsum("fpihw,ft->tpihw", kernel.unflatten(0, (taps.shape[0], -1)), taps).flatten(0, 1)
            products = (kernel, torch.einsum("fp,ft->tp", bias.unflatten(0, (taps.shape[0], -1)), taps).flatten())
            stages = [cast("Stage", stage).kernels() for stage in self.stages]
            return Kernels(stages, self.fusion.kernels(), tail, products)

    def _restore(
        self, observation: Tensor, start: int, stop: int, context: Tensor | None, kernels: Kernels
    ) -> tuple[Tensor, Tensor]:
        """Restore the bands from `start` to before `stop`; also return the context that the last of them leaves."""
        single = observation[:, start:stop].reshape(-1, 1, *observation.shape[-2:])
        single = single.contiguous(memory_format=torch.channels_last)
        images = convolve_space(single, self.image_head(), self.image_head.bias)
        features = self._fused(observation, start, stop, images, kernels)
        contexts = self.context(features.unflatten(0, (-1, stop - start)), context)
        restored = self._enlarged(contexts.flatten(0, 1) + images, kernels)
        return restored.unflatten(0, (-1, stop - start)), contexts[:, -1]

    def _fused(self, observation: Tensor, start: int, stop: int, heads: Tensor, kernels: Kernels) -> Tensor:
        """Run both branches for some bands, whose 2-D heads are given, and fuse them to `B*N x F x H x W`."""
        # Group g holds the bands g, g + 1 and g + 2; the outer bands share the group of their neighbour.
        own = [min(max(band - 1, 0), observation.shape[1] - 3) for band in range(start, stop)]
        first, groups = own[0], own[-1] - own[0] + 1

        def of_bands(per_group: Tensor) -> Tensor:
            if groups == len(own):
                return per_group
            index = torch.tensor([group - first for group in own], device=per_group.device)
            chosen: Tensor = per_group.unflatten(0, (-1, groups)).index_select(1, index).flatten(0, 1)
            return chosen

        skip = self._group_heads(observation[:, first : first + groups + 2])
        grouped, images = skip, heads
        reduced = reduced_images = torch.zeros(())
        fusion = kernels.fusion
        for index, stage in enumerate(kernels.stages):
            hidden = convolve_space(grouped, *stage.space[0]) + convolve_bands(grouped, *stage.bands[0], bands=3)
            hidden = torch.relu_(hidden)
            grouped = convolve_space(hidden, *stage.space[1]) + grouped + skip
            grouped = grouped + convolve_bands(hidden, *stage.bands[1], bands=3)
            images = convolve_space(images, *stage.image) + of_bands(collapse_bands(grouped, stage.group)) + heads
            reduced = functional.conv2d(grouped, fusion.groups[index]) + reduced
            reduced_images = functional.conv2d(images, fusion.images[index]) + reduced_images
        reduced = reduced + self.fusion.reduce_groups.bias[:, None, None]
        reduced_images = reduced_images + fusion.image_bias[:, None, None]
        of_groups = collapse_bands(convolve_space(reduced, *fusion.group_space), fusion.group_bands)
        return convolve_space(reduced_images, *fusion.image_space) + of_bands(of_groups)

    def _group_heads(self, cube: Tensor) -> Tensor:
        """Compute the 3-D heads of all groups of three neighbours in `B x D x H x W`: `B*(D-2)*3 x F x H x W`."""
        space, bands = (cast("WeightNormKernel", self.group_head[name]) for name in ("space", "bands"))
        single = cube.reshape(-1, 1, *cube.shape[-2:]).contiguous(memory_format=torch.channels_last)
        each = convolve_space(single, space()[:, :, 0], space.bias).unflatten(0, cube.shape[:2])
        groups = torch.stack([each[:, part : part + cube.shape[1] - 2] for part in range(3)], dim=2).flatten(0, 2)
        groups = groups.contiguous(memory_format=torch.channels_last)
        return convolve_bands(groups, bands()[..., 0, 0], bands.bias, bands=3)

    def _enlarged(self, images: Tensor, kernels: Kernels) -> Tensor:
        """Enlarge features `N x F x H x W` to images `N x scale*H x scale*W`."""
        factors = _factors(self.scale)
        for convolution, factor in zip(kernels.tail, factors, strict=False):
            images = functional.pixel_shuffle(convolve_space(images, *convolution), factor)
        products = functional.pixel_shuffle(convolve_space(images, *kernels.products), factors[-1])
        summed = products.unflatten(1, (3, 3)).permute(1, 2, 0, 3, 4)
        for axis in (-2, -1):
            summed = sum_of_taps(summed, axis)
        bias: Tensor = self.get_submodule(f"tail.{len(self.tail) - 1}").get_parameter("bias")
        enlarged: Tensor = (summed + bias).contiguous()
        return enlarged
