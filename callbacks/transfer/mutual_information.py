"""Differentiable mutual information of two images from a soft joint histogram (term L_MI of HIR-ALIGN Eq. 20).

The guide, which never moves, falls into one bin a sample; the estimate is spread over four bins by a cubic B-spline
(Mattes et al., "PET-CT image registration in the chest", IEEE TMI 2003), so that the histogram and its gradient are
continuous and a sample costs four additions instead of one a bin. Sums are taken in fixed point: integer addition
commutes, therefore the histogram is the same whatever the order, the number of threads or the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

_ONE = 2**34


def cubic_spline(fraction: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the cubic B-spline weights of the four bins around a sample.

    Args:
        fraction: distance of the sample above the second of the four bins, in [0, 1).

    Returns:
        Weights of bins -1, 0, 1, 2; they are nonnegative and sum to one.
    """
    square = fraction * fraction
    cube = square * fraction
    before = (1 - fraction) ** 3 / 6
    after = cube / 6
    here = cube / 2 - square + 2 / 3
    return before, here, 1 - before - here - after, after


class MutualInformation:
    """The loss `mean over channels of 1 - I(estimate; guide) / H(guide)` and its gradient, O(n) a call.

    Dividing by the guide's entropy puts the loss into [0, 1], whatever the image; a channel with a constant guide
    carries no information and counts as zero.

    Attributes:
        bins: bins an axis.
        base: cell of the flat joint histograms at which the row of the guide's bin begins, C x N x H x W int64.
        guide_probability: of each of the guide's bins, (C * N) x bins x 1.
        scale: one over the guide's entropy, or zero where it has none, C * N.
    """

    def __init__(self, guide: Tensor, bins: int = 32) -> None:
        """Bin the guide once.

        Args:
            guide: C x N x H x W in [0, 1].
            bins: bins an axis, at least 8.
        """
        self.bins = bins
        self._shape = guide.shape
        channels, images = guide.shape[:2]
        number = torch.arange(channels * images, device=guide.device).view(channels, images, 1, 1)
        row = number * bins + (guide * bins).long().clamp_(0, bins - 1)
        self.base = row * bins
        counts = torch.bincount(row.reshape(-1), minlength=channels * images * bins)
        self.guide_probability = counts.view(channels * images, bins, 1).to(guide.dtype) / guide[0, 0].numel()
        entropy = -torch.xlogy(self.guide_probability, self.guide_probability).sum((1, 2))
        self.scale = torch.where(entropy > 1e-6, 1 / entropy.clamp_min(1e-6), torch.zeros_like(entropy))

    def __call__(self, estimate: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each image, and its gradient.

        Args:
            estimate: C x N x H x W in [0, 1]; rounding beyond the ends is clamped.

        Returns:
            Loss, N, and the gradient of each image's loss, C x N x H x W.
        """
        channels, images = self._shape[:2]
        samples = estimate[0, 0].numel()
        step = self.bins - 4
        position = estimate.clamp(0, 1).mul_(step).add_(1)
        cell = position.floor().clamp_(max=self.bins - 3)
        fraction = position.sub_(cell).view(-1)
        index = cell.long().add_(self.base).view(-1)
        histogram = self._histogram(index, fraction, samples)
        independent = histogram.sum(1, keepdim=True) * self.guide_probability
        ratio = torch.where(histogram > 0, histogram / independent, torch.ones_like(histogram)).log()
        information = (histogram * ratio).sum((1, 2)) * self.scale
        loss = ((self.scale > 0).to(estimate.dtype) - information).view(channels, images).mean(0)
        slope = ratio * (self.scale * (-step / (samples * channels)))[:, None, None]
        return loss, self._gradient(slope, index, fraction)

    def _histogram(self, index: Tensor, fraction: Tensor, samples: int) -> Tensor:
        """Joint probabilities, (C * N) x guide bins x estimate bins."""
        count = self.guide_probability.shape[0]
        total = torch.zeros(count * self.bins**2, dtype=torch.int64, device=index.device)
        for offset, weight in zip((-1, 0, 1, 2), cubic_spline(fraction), strict=True):
            # The view begins `offset` bins later, which adds the offset to every index at no cost.
            shifted = total[offset:] if offset >= 0 else total
            positions = index if offset >= 0 else index + offset
            shifted.index_add_(0, positions, weight.mul_(_ONE).long())
        return (total.to(torch.float64) / (_ONE * samples)).to(fraction.dtype).view(count, self.bins, self.bins)

    def _gradient(self, slope: Tensor, index: Tensor, fraction: Tensor) -> Tensor:
        """Sum over the four bins of slope times the derivative of the spline weight."""
        # That derivative is quadratic in the fraction: three combined tables need three look-ups instead of four.
        before, here, after, last = (slope.roll(-offset, 2).reshape(-1) for offset in (-1, 0, 1, 2))
        constant = (after - before) / 2
        linear = before - 2 * here + after
        quadratic = (last - 3 * after + 3 * here - before) / 2
        gradient = quadratic.index_select(0, index).mul_(fraction)
        gradient.add_(linear.index_select(0, index)).mul_(fraction).add_(constant.index_select(0, index))
        return gradient.view(self._shape)
