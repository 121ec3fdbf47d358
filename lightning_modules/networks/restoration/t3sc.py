"""T3SC, trainable spectral-spatial sparse coding (Bodrito et al., NeurIPS 2021, arXiv 2111.09708).

Two layers of unrolled sparse coding: the first codes the spectrum of each pixel, the second 5 x 5 patches of these
codes; the decoded codes are the restored cube.

Facts of the published network kept here: each layer has three dictionaries that share nothing (its setting `tied` has
no effect); thresholds are signed; patch means are taken out of the first product only, not out of the iterations;
validation and test restore blocks of 256 pixels that overlap by 6, and a smaller image that is not square is made so
by reflection first, so outside training `forward` does that too (`block_size=None` restores whole images). Means
are local to the call, so one network may run in several threads; the published module keeps them as its state. The
published self-supervised mode (`ssl`) is a way of training and is not here.

The authors' checkpoints are Lightning files whose `state_dict` fits without a prefix. They advise `noise_adaptive=True`
(their `beta=1`) for noise that differs between bands and for stripes; it has its own checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.layers.overlapping_blocks import restore_in_blocks
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.sparse_coding import SparseCoding

__all__ = ["T3SC"]


class T3SC(nn.Module):
    """T3SC for cubes of a fixed number of bands; any height, width and batch.

    Without arguments this is the published network for 31 bands (832 256 parameters; 908 929 when noise-adaptive).
    Sides below the 5 pixels of a patch are continued by reflection and cropped; the published code refuses them.

    Args:
        input_channels: spectral bands C of the cube.
        code_sizes: atoms of each layer.
        patch_sides: side of each layer's atoms in pixels; from the second layer on at least 2, since the mean of every
            patch is taken out there.
        ranks: products of a spectrum and a spatial pattern in each layer's atoms.
        iterations: unrolled iterations of each layer (published: `K`).
        threshold_init: initial thresholds of the shrinkage (published: `lbda_init`).
        noise_adaptive: weigh the bands by the noise that the first layer estimates in them (published: `beta`).
        block_size: side of the blocks, in pixels, that cubes are restored in outside training; None for whole cubes.
        block_overlap: pixels that neighbouring blocks share.

    Raises:
        ValueError: when the layers' settings differ in length, are not positive, a later layer's patches are single
            pixels, or the overlap is not below the block size.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^(layers\.\d+)\.C\.", r"\1.analysis."),
        (r"^(layers\.\d+)\.D\.", r"\1.synthesis."),
        (r"^(layers\.\d+)\.W\.", r"\1.reconstruction."),
        (r"(analysis|synthesis|reconstruction)\.0$", r"\1.spectral"),
        (r"(analysis|synthesis|reconstruction)\.1$", r"\1.spatial"),
        (r"\.thresholds\.lbda\.", ".thresholds."),
        (r"\.beta_estimator\.", ".noise_estimator."),
    )

    def __init__(
        self,
        input_channels: int = 31,
        code_sizes: Sequence[int] = (64, 1024),
        patch_sides: Sequence[int] = (1, 5),
        ranks: Sequence[int] = (1, 3),
        iterations: Sequence[int] = (12, 5),
        threshold_init: float = 0.001,
        noise_adaptive: bool = False,
        block_size: int | None = 256,
        block_overlap: int = 6,
    ) -> None:
        super().__init__()
        _check_layers(code_sizes, patch_sides, ranks, iterations)
        if block_size is not None and not 0 <= block_overlap < block_size:
            raise InputError(
                f"T3SC: block_overlap {block_overlap} is not between 0 and block_size {block_size}; "
                "choose a smaller overlap, or block_size None for whole cubes."
            )
        self.input_channels = input_channels
        self.block_size = block_size
        self.block_overlap = block_overlap
        self.smallest_side = 1 + sum(side - 1 for side in patch_sides)
        self.layers = nn.ModuleList()
        channels = input_channels
        for codes, side, rank, count in zip(code_sizes, patch_sides, ranks, iterations, strict=True):
            first = not self.layers
            layer = SparseCoding(
                channels, codes, side, rank, count, threshold_init, first, noise_adaptive=first and noise_adaptive
            )
            self.layers.append(layer)
            channels = codes

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube: whole in training, else in blocks of `block_size`.

        Args:
            observation: degraded cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x H x W`, not clipped (the authors clip to [0, 1] for their metrics).
        """
        if self.training or self.block_size is None:
            return self.restore(observation)
        return restore_in_blocks(self.restore, observation, self.block_size, self.block_overlap)

    def restore(self, observation: Tensor) -> Tensor:
        """Restore a whole cube `B x C x H x W` at once, without blocks."""
        height, width = observation.shape[-2:]
        features = self._at_least_one_patch(observation)
        # The factors take half the time on a CPU but would keep more tensors for a gradient.
        factored = features.device.type == "cpu" and not torch.is_grad_enabled()
        layers = cast("list[SparseCoding]", list(self.layers))
        means = []
        for layer in layers:
            features, mean = layer.encode(features, factored)
            means.append(mean)
        for layer, mean in zip(reversed(layers), reversed(means), strict=True):
            features = layer.decode(features, mean, factored)
        return features[..., :height, :width]

    def _at_least_one_patch(self, cubes: Tensor) -> Tensor:
        """Continue sides shorter than the patches of all layers need by reflection."""
        tall, wide = (max(side, self.smallest_side) for side in cubes.shape[-2:])
        if (tall, wide) == cubes.shape[-2:]:
            return cubes
        return pad_to_multiple(cubes, self.smallest_side)[..., :tall, :wide]


def _check_layers(
    code_sizes: Sequence[int], patch_sides: Sequence[int], ranks: Sequence[int], iterations: Sequence[int]
) -> None:
    """Refuse settings that make no layers, in one sentence."""
    settings = (code_sizes, patch_sides, ranks, iterations)
    if len({len(values) for values in settings}) != 1 or not code_sizes:
        raise InputError(
            f"T3SC: code_sizes {list(code_sizes)}, patch_sides {list(patch_sides)}, ranks {list(ranks)} and iterations "
            f"{list(iterations)} differ in length; give each one value per layer."
        )
    for name, values in zip(("code_sizes", "patch_sides", "ranks", "iterations"), settings, strict=True):
        if min(values) < 1:
            raise InputError(f"T3SC: {name} {list(values)} has a value below 1; give positive numbers.")
    if min(patch_sides[1:], default=2) < 2:
        raise InputError(
            f"T3SC: patch_sides {list(patch_sides)} has a layer after the first with patches of one pixel, whose mean "
            "leaves nothing; give at least 2 there."
        )
