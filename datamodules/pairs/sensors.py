"""What the two sensors of a pair are, from the pair alone: spectral response, blur, and the shift between them.

A first response comes from images so blurred that the blur between them does not matter (HySure). By phase correlation
of what it makes of the hyperspectral image with the multispectral one, the images are laid on each other to a pixel.
The kernel that then explains the multispectral image best has both the blur and, as its middle, the rest of the shift;
with it the response is found again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datamodules.pairs.blur_estimate import Blur, estimate_blur
from datamodules.pairs.response_estimate import estimate_response
from datamodules.pairs.shift_estimate import estimate_shift
from datamodules.responses import SpectralResponse
from hyperalign.errors import InputError

__all__ = ["SensorEstimate", "estimate_sensors"]


@dataclass(frozen=True)
class SensorEstimate:
    """The sensors of one pair.

    Attributes:
        response: `c x C`, in the units of the images.
        offset: of the channels, `c`.
        blur: of the hyperspectral sensor, centred on its block but for what the shift leaves.
        shift: rows and columns, in multispectral pixels, by which hyperspectral pixels lie beside their place.
        residual: root mean square of what all leave unexplained, over the multispectral image's contrast.
    """

    response: Tensor
    offset: Tensor
    blur: Blur
    shift: tuple[float, float]
    residual: float

    def spectral_response(self, wavelengths: Sequence[float], centres: Sequence[float]) -> SpectralResponse:
        """Return the response as one of a named sensor, whose rows sum to 1; its channels are called by their centres.

        Args:
            wavelengths: centres of the hyperspectral bands in nm, in their order.
            centres: of the channels in nm, or their numbers.

        Raises:
            InputError: if two bands have one centre, or a channel sees none of them.
        """
        rising = np.argsort(np.asarray(wavelengths, dtype=np.float64), kind="stable")
        ascending = np.asarray(wavelengths, dtype=np.float64)[rising]
        widths = torch.from_numpy(np.gradient(ascending))
        names = tuple(f"{centre:g}" for centre in centres)
        weights = self.response[:, torch.from_numpy(rising)].clamp_min(0)
        return SpectralResponse("estimated", names, tuple(ascending.tolist()), weights / widths)

    def described(self) -> str:
        """Say in one line what was found."""
        rows, columns = (round(along, 2) + 0.0 for along in self.shift)
        return (
            f"shift {rows:+.2f} rows and {columns:+.2f} columns of multispectral pixels, blur as a Gaussian "
            f"{self.blur.width:.2f} pixels wide at half maximum (ratio {self.blur.ratio}), "
            f"{100 * self.residual:.2f} % of the contrast unexplained"
        )


def estimate_sensors(
    observation: Tensor, multispectral: Tensor, ratio: int, *, smoothness: float | None = None, reach: int | None = None
) -> SensorEstimate:
    """Estimate response, offset, blur and shift of one pair.

    Args:
        observation: `C x h x w`, bands in the order of their wavelengths.
        multispectral: `c x H x W`, `H = ratio h`.
        ratio: multispectral pixels along a hyperspectral one.
        smoothness: of the response, see `estimate_response`; None keeps it from being negative.
        reach: fine pixels by which the blur may reach out of its block; half the ratio and two more when None.

    Raises:
        InputError: if the images are too small, or without contrast.
    """
    low, high = observation.double(), multispectral.double()
    if (high.shape[1], high.shape[2]) != (ratio * low.shape[1], ratio * low.shape[2]):
        raise InputError(
            f"Sensors cannot be estimated from {high.shape[1]} x {high.shape[2]} pixels for {low.shape[1]} x "
            f"{low.shape[2]} at the ratio {ratio}: crop both images to the same ground."
        )
    reach = ratio // 2 + 2 if reach is None else reach
    mean = Blur.block_mean(ratio)
    blocks = mean.reduce(high)
    strongly = [_strongly_blurred(one).flatten(1) for one in (low, blocks)]
    response, offset = estimate_response(strongly[0], strongly[1], smoothness)
    # What lies further on in the image lies nearer in the pixels that see it.
    apart = estimate_shift(torch.einsum("kc,chw->khw", response, low) + offset[:, None, None], blocks)
    around = (round(-ratio * apart[0]), round(-ratio * apart[1]))
    blur = estimate_blur(low, high, ratio, reach, around)
    inner = _inside(low, around, ratio, reach)
    pixels, seen = low[inner].flatten(1), blur.reduce(high)[inner].flatten(1)
    response, offset = estimate_response(pixels, seen, smoothness)
    error = response @ pixels + offset[:, None] - seen
    contrast = seen - seen.mean(dim=1, keepdim=True)
    residual = float((error.square().mean() / contrast.square().mean()).sqrt())
    return SensorEstimate(response, offset, blur, blur.centre, residual)


def _inside(low: Tensor, around: tuple[int, int], ratio: int, reach: int) -> tuple[slice, slice, slice]:
    """Return the coarse pixels whose blur stays inside of the image."""
    rims = [
        min(-(-(reach + abs(off)) // ratio), (side - 1) // 2) for off, side in zip(around, low.shape[1:], strict=True)
    ]
    rows, columns = (slice(rim, side - rim) for rim, side in zip(rims, low.shape[1:], strict=True))
    return slice(None), rows, columns


def _strongly_blurred(images: Tensor) -> Tensor:
    """Blur by a Gaussian of two pixels; the rim, where it would see beyond, is left out if there is enough inside."""
    places = torch.arange(-4, 5, dtype=images.dtype)
    line = torch.exp(-0.5 * (places / 2.0) ** 2)
    kernel = torch.outer(line, line) / line.sum() ** 2
    padding = 0 if min(images.shape[-2:]) > 24 else "same"
    return functional.conv2d(images[:, None], kernel[None, None], padding=padding)[:, 0]
