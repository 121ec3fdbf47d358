"""Estimation of the transport parameters: 200 Adam steps on Eq. 20 with a backward pass written by hand.

One step reads and writes every logit, moment and candidate value once, block of rows by block of rows, so that the
temporaries of a block stay in the cache. The gradient never exists as a whole: a block's part is formed, used by Adam
and overwritten by the next block. Row sums of softmax gradients come for free from the forward result, because
`sum_k a_k (dL/da_k) = <dL/d output, output>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from callbacks.transfer.aggregation import CandidateBlock, candidate_blocks, normalised_distances
from callbacks.transfer.losses import ImageObjective, LossWeights, total_variation
from callbacks.transfer.softmax_parameters import SoftmaxParameters
from callbacks.transfer.stencil import clamp_fold, clamp_pad, interpolate, scatter, weight_gradient, windows
from callbacks.transfer.transport import TransportOperator

# Pixels of a block on a CPU: 8192 x 49 floats are 1.6 MB, which the second-level cache of two cores holds.
CPU_BLOCK_PIXELS = 8192


@dataclass(frozen=True)
class EstimationSettings:
    """How the logits start and move.

    Attributes:
        kernel_size: side s of the interpolation kernel, odd.
        learning_rate: of Adam.
        temperature: tau of Eq. 14.
        patch_size: side of the patches of the patch term.
        sharpness: initial aggregation logits are `-sharpness * (d_hat - min d_hat)`: the nearest candidate leads, the
            others stay within reach of 200 steps of 0.05. From 1 to 4 a known warp of CAVE crops gains 0.3 dB.
        centre: initial interpolation logit of the centre tap; the others start at 0, so B starts near the identity
            (centre weight 0.76) and does not blur what aggregation found. From 2 to 6: +2 dB on the same warp.
        adam_epsilon: of Adam, for gradients of the objective summed over pixels (mean times H * W), so that a step does
            not depend on the size of the image. 1e-3 is what the usual 1e-8 on the mean amounts to at about 320 x 320;
            far smaller values let logits without influence drift at full speed and double kappa.
    """

    kernel_size: int = 7
    learning_rate: float = 0.05
    temperature: float = 1.0
    patch_size: int = 5
    sharpness: float = 4.0
    centre: float = 5.0
    adam_epsilon: float = 1e-3


class TransportEstimation:
    """The optimisation of Eq. 19-20 for N guides at once, of one proxy or of several of equal size.

    Nothing is shared between the images but the blocks they are worked off in, so each comes out as it does alone.
    """

    def __init__(
        self,
        proxy_rgb: Tensor,
        guides: Tensor,
        candidates: Tensor,
        distances: Tensor,
        weights: LossWeights,
        settings: EstimationSettings,
        block_pixels: int = CPU_BLOCK_PIXELS,
    ) -> None:
        """Build the constant tables and the initial logits.

        Args:
            proxy_rgb: the proxy of all guides, 3 x H x W in [0, 1], or that of each, 3 x N x H x W.
            guides: 3 x N x H x W in [0, 1].
            candidates: flat proxy pixel numbers, K x N x H x W.
            distances: mean-L1 descriptor distances d_{u,k} of Eq. 13, K x N x H x W.
            weights: of the terms of Eq. 20.
            settings: see `EstimationSettings`.
            block_pixels: pixels of a block in each image, so many that its temporaries fit the cache (all of them on
                a GPU). Sums along a block's border depend on it in the last bit, therefore not on N.
        """
        self._weights, self._settings = weights, settings
        self._candidates = candidates
        _, images, height, width = guides.shape
        self._pixels = height * width
        rows = max(1, min(height, block_pixels // width))
        self._image = ImageObjective(guides, weights, settings.patch_size)
        normalised = normalised_distances(distances)
        proxies = proxy_rgb if proxy_rgb.ndim == 4 else proxy_rgb[:, None].expand(guides.shape)
        self._blocks = candidate_blocks(proxies, candidates, normalised, rows)
        radius = settings.kernel_size // 2
        self._padded = guides.new_zeros(3, images, height + 2 * radius, width + 2 * radius)
        self._padded_gradient = torch.empty_like(self._padded)
        self._synthesised = torch.empty_like(guides)
        # What aggregation gives: RGB before interpolation, expected coordinates, expected distance.
        self._aggregated = guides.new_empty(6, images, height, width)
        self._aggregation = [self._new_aggregation(block) for block in self._blocks]
        self._interpolation = [self._new_interpolation(block) for block in self._blocks]
        largest = max(self._blocks[0].distances.numel(), self._interpolation[0].weights.numel())
        self._buffer = guides.new_empty(largest)
        for block, parameters in zip(self._blocks, self._aggregation, strict=True):
            self._aggregate(block, parameters)
        self.history: list[Tensor] = []

    def _new_aggregation(self, block: CandidateBlock) -> SoftmaxParameters:
        nearest = block.distances.amin(0, keepdim=True)
        logits = (block.distances - nearest).mul_(-self._settings.sharpness)
        return self._parameters(logits, self._settings.temperature)

    def _new_interpolation(self, block: CandidateBlock) -> SoftmaxParameters:
        count = self._settings.kernel_size**2
        logits = block.distances.new_zeros(count, *block.distances.shape[1:])
        logits[count // 2] = self._settings.centre
        return self._parameters(logits, 1.0)

    def _parameters(self, logits: Tensor, temperature: float) -> SoftmaxParameters:
        return SoftmaxParameters(logits, self._settings.learning_rate, self._settings.adam_epsilon, temperature)

    def _scratch(self, like: Tensor) -> Tensor:
        """The reused buffer in the shape of `like`; contiguous, as the fused Adam step demands."""
        return self._buffer[: like.numel()].view(like.shape)

    def _aggregate(self, block: CandidateBlock, parameters: SoftmaxParameters) -> None:
        """Eq. 15, 18 and the inner sum of Eq. 21 for one block."""
        part = slice(block.start, block.start + block.rows)
        scratch = self._scratch(block.distances)
        for channel, values in enumerate((*block.values, block.distances)):
            torch.mul(values, parameters.weights, out=scratch)
            torch.sum(scratch, 0, out=self._aggregated[channel, :, part])

    def synthesise(self) -> Tensor:
        """Return the RGB of Eq. 17 under the current parameters, 3 x N x H x W (the next call overwrites it)."""
        size = self._settings.kernel_size
        clamp_pad(self._aggregated[:3], size // 2, self._padded)
        for block, parameters in zip(self._blocks, self._interpolation, strict=True):
            shifted = windows(self._padded, size, block.start, block.rows)
            scratch = self._scratch(parameters.weights)
            part = self._synthesised[..., block.start : block.start + block.rows, :]
            interpolate(shifted, parameters.weights, scratch, part)
        return self._synthesised

    def _evaluate(self) -> tuple[Tensor, Tensor, Tensor]:
        """Objective of each image; gradients with respect to the synthesised RGB and the coordinates, times H * W."""
        value, gradient = self._image(self.synthesise())
        variation, slope = total_variation(self._aggregated[3:5])
        value = value + self._weights.smoothness * variation
        value += self._weights.distance * self._aggregated[5].mean((1, 2))
        return value, gradient.mul_(self._pixels), slope.mul_(self._weights.smoothness * self._pixels)

    def objective(self) -> Tensor:
        """Return the value of Eq. 20 for each guide under the current parameters, N."""
        return self._evaluate()[0]

    def _interpolation_gradients(self, gradient: Tensor) -> Iterator[tuple[SoftmaxParameters, Tensor]]:
        """Yield each block's kernel logits with their gradient; leaves that of the padded RGB behind."""
        size = self._settings.kernel_size
        self._padded_gradient.zero_()
        for block, parameters in zip(self._blocks, self._interpolation, strict=True):
            rows = slice(block.start, block.start + block.rows)
            part = gradient[..., rows, :]
            scatter(parameters.weights, part, self._padded_gradient, block.start)
            scratch = self._scratch(parameters.weights)
            weight_gradient(windows(self._padded, size, block.start, block.rows), part, scratch)
            mean = (part * self._synthesised[..., rows, :]).sum(0)
            yield parameters, parameters.logit_gradient(scratch, mean)

    def _aggregation_gradients(self, slope: Tensor) -> Iterator[tuple[CandidateBlock, SoftmaxParameters, Tensor]]:
        """Yield each block's candidate logits with their gradient, given that of the coordinates."""
        colours = clamp_fold(self._padded_gradient, self._settings.kernel_size // 2)
        distance = self._weights.distance
        for block, parameters in zip(self._blocks, self._aggregation, strict=True):
            rows = slice(block.start, block.start + block.rows)
            part = torch.cat((colours[..., rows, :], slope[..., rows, :]))
            scratch = self._scratch(block.distances)
            torch.mul(block.distances, distance, out=scratch)
            for values, weight in zip(block.values, part, strict=True):
                scratch.addcmul_(values, weight)
            forward = self._aggregated[:, :, rows]
            mean = (part * forward[:5]).sum(0).add_(forward[5], alpha=distance)
            yield block, parameters, parameters.logit_gradient(scratch, mean)

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of Eq. 20 with respect to all logits, for inspection; `step` never holds them whole.

        Returns:
            Those of l, K x N x H x W, and of m, s^2 x N x H x W.
        """
        _, gradient, slope = self._evaluate()
        kernels = [part.clone() for _, part in self._interpolation_gradients(gradient)]
        candidates = [part.clone() for _, _, part in self._aggregation_gradients(slope)]
        return torch.cat(candidates, -2) / self._pixels, torch.cat(kernels, -2) / self._pixels

    def step(self) -> None:
        """Take one Adam step on all logits; `history` gains the objective before the step, N values."""
        value, gradient, slope = self._evaluate()
        self.history.append(value)
        for parameters, part in self._interpolation_gradients(gradient):
            parameters.step(part)
        for block, parameters, part in self._aggregation_gradients(slope):
            parameters.step(part)
            self._aggregate(block, parameters)

    def operators(self) -> list[TransportOperator]:
        """Return the transport of each guide under the current parameters (Eq. 22)."""
        aggregation = torch.cat([parameters.weights for parameters in self._aggregation], -2)
        interpolation = torch.cat([parameters.weights for parameters in self._interpolation], -2)
        return [
            TransportOperator(self._candidates[:, n].contiguous(), aggregation[:, n], interpolation[:, n])
            for n in range(self._candidates.shape[1])
        ]
