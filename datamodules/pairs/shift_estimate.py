"""By how much two images of one scene lie apart: phase correlation with a peak between the pixels.

Guizar-Sicairos, Thurman, Fienup, "Efficient subpixel image registration algorithms", Optics Letters 33(2), 2008.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["estimate_shift"]

_STEPS = (0.1, 0.005)
"""Pixels between the places that are tried around the peak, finer and finer."""
_LOW_PASS = 0.35
"""Frequencies up to this share of a cycle a pixel count: beyond, both images are aliased or blurred."""


def estimate_shift(moved: Tensor, still: Tensor) -> tuple[float, float]:
    """Return rows and columns by which what is seen in one image lies further on in the other.

    Args:
        moved: `c x h x w`.
        still: the same channels without the shift, `c x h x w`.

    Returns:
        The shift d for which `moved[y, x] = still[y - d_0, x - d_1]`, in pixels: to a few hundredths where it is
        small, to a tenth where it is several pixels.
    """
    height, width = still.shape[-2:]
    taper = torch.outer(*(torch.hann_window(side, periodic=False, dtype=torch.float64) for side in (height, width)))
    first, second = (
        torch.fft.fft2((one.double() - one.double().mean(dim=(-2, -1), keepdim=True)) * taper) for one in (moved, still)
    )
    rows, columns = torch.fft.fftfreq(height).double()[:, None], torch.fft.fftfreq(width).double()
    passed = (rows**2 + columns**2).sqrt() <= _LOW_PASS
    cross = (first * second.conj()).sum(dim=0)
    # Phase alone, but frequencies at which there is next to nothing do not count as much as the others.
    size = cross.abs()
    cross = torch.where(passed, cross / (size + 1e-3 * size.max()), 0)
    peak = int(torch.fft.ifft2(cross).real.argmax())
    place = [float(peak // width), float(peak % width)]
    place = [at - side if at > side / 2 else at for at, side in zip(place, (height, width), strict=True)]
    reach = 0.6
    for step in _STEPS:
        offsets = torch.arange(-reach, reach + step / 2, step, dtype=torch.float64)
        along = torch.exp(2j * math.pi * (place[0] + offsets)[:, None] * rows[:, 0])
        across = torch.exp(2j * math.pi * (place[1] + offsets)[:, None] * columns)
        values = (along @ cross @ across.T).real
        best = int(values.argmax())
        place = [place[0] + float(offsets[best // len(offsets)]), place[1] + float(offsets[best % len(offsets)])]
        reach = step
    return place[0], place[1]
