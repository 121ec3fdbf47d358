"""1 - SSIM and its gradient by hand (term L_SSIM of HIR-ALIGN Eq. 20)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.errors import InputError

WINDOW = 11
_C1, _C2 = 0.01**2, 0.03**2


def gaussian_window(dtype: torch.dtype, device: torch.device, size: int = WINDOW, sigma: float = 1.5) -> Tensor:
    """Return the normalised Gaussian of Wang et al. (2004), `size` taps."""
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    return (weights / weights.sum()).to(dtype=dtype, device=device)


class StructuralSimilarity:
    """The loss 1 - SSIM with an 11 x 11 Gaussian window (sigma 1.5), data range 1, mean over channels.

    Windows lie wholly inside the image, so both sides must be at least 11 pixels. The guide's own moments are taken
    once; a call blurs three maps forward and three backward.

    Attributes:
        window: the Gaussian's taps, 11.
        mean: the guide's local means, C x N x (H - 10) x (W - 10).
        variance: its local variances, likewise.
    """

    def __init__(self, guide: Tensor) -> None:
        """Take the guide's local moments.

        Args:
            guide: C x N x H x W in [0, 1], H and W at least 11.

        Raises:
            ValueError: if the image is smaller than the window.
        """
        if min(guide.shape[-2:]) < WINDOW:
            raise InputError(
                f"SSIM needs an image of at least {WINDOW} x {WINDOW} pixels, this guide has "
                f"{guide.shape[-2]} x {guide.shape[-1]}: use a larger crop or set the weight ssim to 0."
            )
        self.window = gaussian_window(guide.dtype, guide.device)
        self._guide = guide
        self.mean, second = self._blur(torch.stack((guide, guide * guide)))
        self.variance = second - self.mean**2

    def _separable(self, maps: Tensor, padding: int) -> Tensor:
        """Filter M x C x N x H x W by the window along both axes."""
        planes = maps.reshape(1, -1, *maps.shape[-2:])
        count = planes.shape[1]
        taps = self.window.expand(count, 1, WINDOW)
        planes = functional.conv2d(planes, taps[..., None], padding=(padding, 0), groups=count)
        planes = functional.conv2d(planes, taps[..., None, :], padding=(0, padding), groups=count)
        return planes.view(*maps.shape[:-2], *planes.shape[-2:])

    def _blur(self, maps: Tensor) -> Tensor:
        return self._separable(maps, 0)

    def _spread(self, maps: Tensor) -> Tensor:
        """Adjoint of `_blur`; the window is symmetric, so it is the full convolution."""
        return self._separable(maps, WINDOW - 1)

    def __call__(self, estimate: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each image, and its gradient.

        Args:
            estimate: C x N x H x W in [0, 1].

        Returns:
            Loss, N, and the gradient of each image's loss, C x N x H x W.
        """
        mean, square, product = self._blur(torch.stack((estimate, estimate * estimate, estimate * self._guide)))
        means = mean * self.mean
        luminance, structure = 2 * means + _C1, 2 * (product - means) + _C2
        energy = mean * mean + self.mean**2 + _C1
        variance = square - mean * mean + self.variance + _C2
        over = 1 / (energy * variance)
        similarity = luminance * structure * over
        scale = -1 / (estimate.shape[0] * similarity[0, 0].numel())
        by_product = 2 * luminance * over
        by_square = -similarity / variance
        by_mean = self.mean * (2 * structure * over - by_product) - 2 * mean * (similarity / energy + by_square)
        spread = self._spread(torch.stack((by_mean, by_square, by_product)).mul_(scale))
        gradient = spread[0].addcmul_(spread[1], estimate, value=2).addcmul_(spread[2], self._guide)
        return 1 - similarity.mean((0, 2, 3)), gradient
