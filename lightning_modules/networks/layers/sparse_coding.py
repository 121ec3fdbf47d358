"""Trainable convolutional sparse coding with low-rank atoms, the layer of T3SC (arXiv 2111.09708, sections 3.2-3.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.padding import pad_to_multiple

__all__ = ["LowRankDictionary", "NoiseEstimator", "SparseCoding", "shrink"]

ESTIMATOR_SIDE = 56


def shrink(values: Tensor, threshold: Tensor) -> Tensor:
    """Move values towards zero by a threshold: `relu(x - l) - relu(-x - l)`, also for the negative l it may learn.

    Written as `max(x, l) + min(x, -l)`, which is equal for either sign and keeps one tensor for the gradient, not two.
    For negative l values beyond |l| move away from zero and those within double.
    """
    return torch.maximum(values, threshold).add_(torch.minimum(values, -threshold))


def _sum(parts: Iterable[Tensor]) -> Tensor:
    """Add tensors as they are made, into the first: one of them at a time is kept."""
    return reduce(lambda total, part: total.add_(part), parts)


class LowRankDictionary(nn.Module):
    """Atoms `codes x channels x side x side`, each a sum of `rank` products of a spectrum and a spatial pattern.

    Args:
        codes: number of atoms.
        channels: channels of an atom.
        rank: products in an atom.
        side: height and width of an atom in pixels.
    """

    def __init__(self, codes: int, channels: int, rank: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.spectral = nn.Parameter(torch.empty(codes, channels, rank))
        self.spatial = nn.Parameter(torch.empty(codes, rank, side**2))
        for factor in (self.spectral, self.spatial):
            nn.init.kaiming_uniform_(factor, a=math.sqrt(5))

    def analysis(self, factored: bool, centred: bool = False) -> Callable[[Tensor], Tensor]:
        """Return the map from images `B x channels x H x W` to their products with the atoms at every whole patch.

        Args:
            factored: multiply with the spectra, then convolve with the patterns, instead of forming the atoms.
            centred: take each atom's mean over its pixels out of it first.
        """
        spatial = self.spatial - self.spatial.mean(dim=-1, keepdim=True) if centred else self.spatial
        if not self._factors_pay(factored):
            kernel = (self.spectral @ spatial).unflatten(-1, (self.side, self.side))
            return lambda images: functional.conv2d(images, kernel)
        spectra, patterns = self._factors(spatial)

        def correlate(images: Tensor) -> Tensor:
            images = images.contiguous(memory_format=torch.channels_last)
            return _sum(
                functional.conv2d(functional.conv2d(images, spectrum), pattern, groups=len(pattern))
                for spectrum, pattern in zip(spectra, patterns, strict=True)
            )

        return correlate

    def synthesis(self, factored: bool) -> Callable[[Tensor], Tensor]:
        """Return the map from codes `B x codes x h x w` to the sum of all patches, `B x channels x H x W`.

        Args:
            factored: convolve with the patterns, then multiply with the spectra, instead of forming the atoms.
        """
        if not self._factors_pay(factored):
            kernel = (self.spectral @ self.spatial).unflatten(-1, (self.side, self.side))
            return lambda code: functional.conv_transpose2d(code, kernel)
        spectra, patterns = self._factors(self.spatial.flip(-1))

        def synthesise(code: Tensor) -> Tensor:
            code = code.contiguous(memory_format=torch.channels_last)
            return _sum(
                functional.conv2d(
                    functional.conv2d(code, pattern, padding=self.side - 1, groups=len(pattern)),
                    spectrum.transpose(0, 1),
                )
                for spectrum, pattern in zip(spectra, patterns, strict=True)
            )

        return synthesise

    def _factors_pay(self, factored: bool) -> bool:
        """Tell whether products with the factors are wanted and take fewer multiplications than with the atoms."""
        _, channels, rank = self.spectral.shape
        return factored and rank * (channels + self.side**2) < channels * self.side**2

    def _factors(self, spatial: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return spectra as 1 x 1 kernels and patterns as depthwise kernels, one pair for each product."""
        spectra = [one[..., None, None] for one in self.spectral.unbind(-1)]
        patterns = [one[:, None].unflatten(-1, (self.side, self.side)).contiguous() for one in spatial.unbind(1)]
        return spectra, patterns


class NoiseEstimator(nn.Sequential):
    """Weight of every band from the noise that its central 56 x 56 pixels show (arXiv 2111.09708, section 3.4).

    The published code fails on images of fewer than 56 rows or columns; here their bands are continued by reflection.
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 64, kernel_size=5, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 128, kernel_size=3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 1, kernel_size=3),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Weigh the bands of mean-free images `B x C x H x W`: `B x C x 1 x 1` in (0, 1), small for noisy bands."""
        height, width = images.shape[-2:]
        top, left = max(height - ESTIMATOR_SIDE, 0) // 2, max(width - ESTIMATOR_SIDE, 0) // 2
        crop = images[..., top : top + ESTIMATOR_SIDE, left : left + ESTIMATOR_SIDE]
        crop = pad_to_multiple(crop, ESTIMATOR_SIDE)
        noise = crop.reshape(-1, 1, ESTIMATOR_SIDE, ESTIMATOR_SIDE)
        for stage in self:
            noise = stage(noise)
        return 1 - noise.view(*images.shape[:2], 1, 1)


class SparseCoding(nn.Module):
    """Code of an image over low-rank atoms by unrolled, learnt shrinkage iterations, and the image of a code.

    Three dictionaries that do not share weights (the published setting `tied` has no effect): `analysis` (C in the
    paper), `synthesis` (D) and `reconstruction` (W).

    Args:
        channels: channels of the image.
        codes: atoms, the channels of the code.
        side: height and width of an atom in pixels.
        rank: products of a spectrum and a pattern in an atom.
        iterations: shrinkages, each with its own threshold for every atom.
        threshold: initial threshold.
        image_centred: take out the mean of every channel over the image; else that of every patch, by `C` without its
            mean in the first product only, as published.
        noise_adaptive: weigh the channels by their estimated noise, in the image and in every iteration.
    """

    def __init__(
        self,
        channels: int,
        codes: int,
        side: int,
        rank: int,
        iterations: int,
        threshold: float = 0.001,
        image_centred: bool = False,
        noise_adaptive: bool = False,
    ) -> None:
        super().__init__()
        self.side = side
        self.image_centred = image_centred
        self.analysis = LowRankDictionary(codes, channels, rank, side)
        self.synthesis = LowRankDictionary(codes, channels, rank, side)
        self.reconstruction = LowRankDictionary(codes, channels, rank, side)
        self.thresholds = nn.ParameterList(torch.full((1, codes, 1, 1), threshold) for _ in range(iterations))
        self.noise_estimator = NoiseEstimator() if noise_adaptive else None

    def encode(self, images: Tensor, factored: bool = False) -> tuple[Tensor, Tensor]:
        """Code images (section 3.2, equations 3 and 4).

        Args:
            images: `B x C x H x W`.
            factored: work with the factors of the atoms, faster on a CPU; for training it keeps more tensors.

        Returns:
            The code, `B x codes x (H - side + 1) x (W - side + 1)`, and the means to give back to `decode`.
        """
        if self.image_centred:
            means = images.mean(dim=(2, 3), keepdim=True)
            images = images - means
        else:
            means = functional.avg_pool2d(images, self.side, stride=1)
        weights = None if self.noise_estimator is None else self.noise_estimator(images)
        if weights is not None:
            images = images * weights
        start = self.analysis.analysis(factored, centred=not self.image_centred)(images)
        code = shrink(start, self.thresholds[0])
        correlate, synthesise = self.analysis.analysis(factored), self.synthesis.synthesis(factored)
        for threshold in list(self.thresholds)[1:]:
            approximation = synthesise(code)
            if weights is not None:
                approximation = approximation * weights
            code = shrink((start + code).sub_(correlate(approximation)), threshold)
        return code, means

    def decode(self, code: Tensor, means: Tensor, factored: bool = False) -> Tensor:
        """Turn a code and the means of its image back into the image `B x C x H x W`, overlapping patches averaged."""
        images = self.reconstruction.synthesis(factored)(code)
        ones = code.new_ones(1, 1, *code.shape[-2:])
        overlaps = self._spread(ones)
        if self.image_centred:
            return images / overlaps + means
        return (images + self._spread(means)) / overlaps

    def _spread(self, values: Tensor) -> Tensor:
        """Add each value of `B x C x h x w` to all pixels of its patch."""
        margin = self.side - 1
        padded = functional.pad(values, (margin, margin, margin, margin))
        return functional.avg_pool2d(padded, self.side, stride=1, divisor_override=1)
