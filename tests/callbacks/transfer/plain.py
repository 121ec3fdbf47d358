"""HIR-ALIGN Eq. 14-21 written plainly with autograd: explicit gathers, unfolds and a dense histogram."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.transfer.estimation import EstimationSettings
from callbacks.transfer.losses import LossWeights


def gathered(proxy: Tensor, candidates: Tensor) -> Tensor:
    """C x H x W at K x H x W pixel numbers -> n x K x C."""
    flat = proxy.reshape(proxy.shape[0], -1).t()
    return flat[candidates.reshape(candidates.shape[0], -1).t()]


def stencil(image: Tensor, weights: Tensor) -> Tensor:
    """C x H x W by s^2 x H x W, explicit n x s^2 x C patches with clamped borders."""
    size = round(weights.shape[0] ** 0.5)
    channels, height, width = image.shape
    padded = functional.pad(image[None], (size // 2,) * 4, mode="replicate")
    patches = functional.unfold(padded, size).view(channels, size * size, height * width).permute(2, 1, 0)
    return (patches * weights.reshape(size * size, -1).t()[..., None]).sum(1).t().reshape(image.shape)


def spline(distance: Tensor) -> Tensor:
    """Cubic B-spline at any distance from the knot."""
    away = distance.abs()
    near = (4 - 6 * away**2 + 3 * away**3) / 6
    far = (2 - away).clamp_min(0) ** 3 / 6
    return torch.where(away < 1, near, far)


def mutual_information_loss(estimate: Tensor, guide: Tensor, bins: int = 32) -> Tensor:
    """1 - I / H(guide), mean over channels, from n x bins weights of every sample."""
    total = estimate.new_zeros(())
    for own, other in zip(estimate, guide, strict=True):
        position = own.reshape(-1, 1).clamp(0, 1) * (bins - 4) + 1
        soft = spline(position - torch.arange(bins, dtype=own.dtype, device=own.device))
        hard = functional.one_hot((other.reshape(-1) * bins).long().clamp(0, bins - 1), bins).to(own.dtype)
        joint = hard.t() @ soft / own.numel()
        product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
        seen = joint > 1e-14  # below, float32 products of marginals would be zero
        information = (joint[seen] * (joint[seen] / product[seen]).log()).sum()
        marginal = hard.mean(0)
        total = total + 1 + information / torch.xlogy(marginal, marginal).sum()
    return total / estimate.shape[0]


def ssim_loss(estimate: Tensor, guide: Tensor) -> Tensor:
    """1 - SSIM with a two-dimensional 11 x 11 Gaussian window, no padding."""
    offsets = torch.arange(11, dtype=torch.float64, device=guide.device) - 5
    taps = torch.exp(-(offsets**2) / 4.5)
    window = (torch.outer(taps, taps) / taps.sum() ** 2).to(guide.dtype)[None, None]

    def blur(image: Tensor) -> Tensor:
        return functional.conv2d(image[:, None], window)

    x, y = blur(estimate), blur(guide)
    xx, yy, xy = blur(estimate**2) - x * x, blur(guide**2) - y * y, blur(estimate * guide) - x * y
    score = (2 * x * y + 1e-4) * (2 * xy + 9e-4) / ((x * x + y * y + 1e-4) * (xx + yy + 9e-4))
    return 1 - score.mean()


def patch_loss(estimate: Tensor, guide: Tensor, size: int) -> Tensor:
    """L1 between unfolded patches of clamped images."""
    patches = [
        functional.unfold(functional.pad(image[None], (size // 2,) * 4, mode="replicate"), size)
        for image in (estimate, guide)
    ]
    return (patches[0] - patches[1]).abs().mean()


def variation(planes: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, vertical plus horizontal."""
    return planes.diff(dim=1).abs().mean() + planes.diff(dim=2).abs().mean()


def coordinates(candidates: Tensor, aggregation: Tensor) -> Tensor:
    """Normalised expected coordinates, 2 x H x W."""
    _, height, width = candidates.shape
    y = (torch.div(candidates, width, rounding_mode="floor") * aggregation).sum(0) / height
    x = (candidates % width * aggregation).sum(0) / width
    return torch.stack((y, x))


def terms(
    proxy: Tensor, guide: Tensor, candidates: Tensor, normalised: Tensor, logits: Tensor, kernels: Tensor,
    temperature: float, patch_size: int,
) -> dict[str, Tensor]:  # fmt: skip
    """Every term of Eq. 20, unweighted, under the names of `LossWeights`."""
    aggregation, interpolation = (logits / temperature).softmax(0), kernels.softmax(0)
    weights = aggregation.reshape(aggregation.shape[0], -1).t()[..., None]
    before = (gathered(proxy, candidates) * weights).sum(1).t().reshape(proxy.shape)
    estimate = stencil(before, interpolation)
    return {
        "l1": (estimate - guide).abs().mean(),
        "patch": patch_loss(estimate, guide, patch_size),
        "mutual_information": mutual_information_loss(estimate, guide),
        "ssim": ssim_loss(estimate, guide),
        "gradient": variation(estimate - guide),
        "smoothness": variation(coordinates(candidates, aggregation)),
        "distance": (aggregation * normalised).sum(0).mean(),
    }


@dataclass
class PlainEstimation:
    """The whole estimation for one guide, as one would write it first: torch.optim.Adam on autograd gradients."""

    proxy: Tensor
    guide: Tensor
    candidates: Tensor
    distances: Tensor
    weights: LossWeights
    settings: EstimationSettings

    def __post_init__(self) -> None:
        self.normalised = self.distances / (self.distances.mean() + 1e-8)
        nearest = self.normalised.amin(0, keepdim=True)
        self.logits = (-self.settings.sharpness * (self.normalised - nearest)).requires_grad_()
        kernels = self.proxy.new_zeros(self.settings.kernel_size**2, *self.proxy.shape[1:])
        kernels[self.settings.kernel_size**2 // 2] = self.settings.centre
        self.kernels = kernels.requires_grad_()
        self.optimizer = torch.optim.Adam(
            [self.logits, self.kernels], lr=self.settings.learning_rate, eps=self.settings.adam_epsilon
        )

    def objective(self) -> Tensor:
        found = terms(
            self.proxy, self.guide, self.candidates, self.normalised, self.logits, self.kernels,
            self.settings.temperature, self.settings.patch_size,
        )  # fmt: skip
        return torch.stack([getattr(self.weights, name) * value for name, value in found.items()]).sum()

    def step(self) -> Tensor:
        self.optimizer.zero_grad()
        value = self.objective()
        (value * self.guide[0].numel()).backward()
        self.optimizer.step()
        return value.detach()

    def synthesise(self, cube: Tensor) -> Tensor:
        with torch.no_grad():
            aggregation = (self.logits / self.settings.temperature).softmax(0)
            weights = aggregation.reshape(aggregation.shape[0], -1).t()[..., None]
            before = (gathered(cube, self.candidates) * weights).sum(1).t().reshape(cube.shape)
            return stencil(before, self.kernels.softmax(0))
