"""PSNR, SSIM, SAM and ERGAS of one cube, in every convention that published restoration code uses.

All functions take `C x H x W` cubes and compute in float64: in float32 the cosine of two nearly equal spectra exceeds
one, and variances of dark bands drown in rounding.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from hyperalign.errors import InputError

__all__ = ["ErgasMean", "PsnrMean", "SamZero", "SsimWindow", "ergas", "psnr", "sam", "ssim"]

log = logging.getLogger(__name__)
PsnrMean = Literal["band_mean", "global"]
SsimWindow = Literal["gaussian", "uniform"]
SamZero = Literal["skip", "right_angle", "one_sided", "zero_angle", "epsilon"]
ErgasMean = Literal["squared", "plain"]


def psnr(restored: Tensor, target: Tensor, data_range: float, mean: PsnrMean, equal: float) -> float:
    """Return the peak signal-to-noise ratio in dB.

    Args:
        restored: `C x H x W`.
        target: `C x H x W`.
        data_range: peak value.
        mean: `band_mean` averages the bands' PSNR (SERT, T3SC, SSUMamba, ...); `global` takes one error over the whole
            cube (MCNet, SFCSR).
        equal: value in dB of a band without any error (infinity, or 100 in MCNet's and the MATLAB codes). Where it is
            infinite, such bands are named in a warning and left out of the mean over bands, unless all are.
    """
    error = (restored.double() - target.double()).square()
    errors = error.mean(dim=(-2, -1)) if mean == "band_mean" else error.mean().reshape(1)
    decibels = 10.0 * torch.log10(data_range**2 / errors)
    exact = errors == 0
    if math.isinf(equal) and bool(exact.any()) and not bool(exact.all()):
        numbers = ", ".join(str(int(band)) for band in exact.nonzero().flatten())
        log.warning(
            "Band %s is restored without any error, so its PSNR is infinite; the mean is over the other %d bands "
            "(MetricProtocol's psnr_equal=100 would count it as 100 dB).",
            numbers,
            int((~exact).sum()),
        )
        return float(decibels[~exact].mean())
    return float(torch.where(exact, torch.full_like(decibels, equal), decibels).mean())


def ssim(restored: Tensor, target: Tensor, data_range: float, window: SsimWindow) -> float:
    """Return the structural similarity, mean over the bands and over the positions where the window fits entirely.

    Args:
        restored: `C x H x W`.
        target: `C x H x W`.
        data_range: peak value; the constants are (0.01 range)^2 and (0.03 range)^2.
        window: `gaussian` is 11 x 11 with sigma 1.5 and population covariance (T3SC, SSUMamba, MCNet, MATLAB);
            `uniform` is 7 x 7 with sample covariance (scikit-image's default: HIR-Diff, MP-HSIR).

    Raises:
        ValueError: when the cube is smaller than the window.
    """
    taps = _gaussian_taps() if window == "gaussian" else [1.0 / 7.0] * 7
    unbias = 1.0 if window == "gaussian" else 49.0 / 48.0
    if min(target.shape[-2:]) < len(taps):
        raise InputError(
            f"SSIM: a {target.shape[-2]} x {target.shape[-1]} cube is smaller than the {len(taps)} x {len(taps)} "
            f"{window} window; evaluate on larger scenes or crops."
        )
    bands = [
        _ssim_map(x.double(), y.double(), data_range, taps, unbias).mean()
        for x, y in zip(restored, target, strict=True)
    ]
    return float(torch.stack(bands).mean())


def _gaussian_taps() -> list[float]:
    """Eleven Gaussian weights of sigma 1.5 that sum to one."""
    weights = [math.exp(-(offset**2) / (2 * 1.5**2)) for offset in range(-5, 6)]
    return [weight / sum(weights) for weight in weights]


def _windowed(images: Tensor, taps: Sequence[float]) -> Tensor:
    """Weighted means under a separable window, where it fits entirely.

    Sums of shifted slices: PyTorch's float64 convolution is ten times slower on a CPU.
    """
    for axis in (-2, -1):
        length = images.shape[axis] - len(taps) + 1
        means = images.narrow(axis, 0, length) * taps[0]
        for offset, weight in enumerate(taps[1:], start=1):
            means.add_(images.narrow(axis, offset, length), alpha=weight)
        images = means
    return images


def _ssim_map(x: Tensor, y: Tensor, data_range: float, taps: Sequence[float], unbias: float) -> Tensor:
    """SSIM of one band at every position of the window (Wang et al. 2004, Eq. 13)."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_y, square_x, square_y, product = _windowed(torch.stack((x, y, x * x, y * y, x * y)), taps)
    means, means_squared = mean_x * mean_y, mean_x.square() + mean_y.square()
    covariance = unbias * (product - means)
    variances = unbias * (square_x + square_y - means_squared)
    similarity: Tensor = (2 * means + c1) * (2 * covariance + c2) / ((means_squared + c1) * (variances + c2))
    return similarity


def sam(restored: Tensor, target: Tensor, zero: SamZero) -> float:
    """Return the spectral angle in degrees, mean over pixels.

    Args:
        restored: `C x H x W`.
        target: `C x H x W`.
        zero: what a pixel counts whose restored or target spectrum is all zero (it has no angle). `skip`: left out of
            the mean (0 if no pixel is left). `right_angle`: 90 degrees (T3SC, HIR-Diff). `one_sided`: 0 where both
            are zero, 90 where one is (SERT's test run). `zero_angle`: 0 (SSUMamba). `epsilon`: zero values become
            2.2204e-16, which is also added to the product of norms (MCNet, SFCSR): 90 where both are zero, about the
            angle to a flat spectrum where one is.
    """
    x, y = restored.double().flatten(1), target.double().flatten(1)
    epsilon = 2.2204e-16 if zero == "epsilon" else 0.0
    if epsilon:
        x, y = (torch.where(spectra == 0, torch.full_like(spectra, epsilon), spectra) for spectra in (x, y))
    norm_x, norm_y = x.norm(dim=0), y.norm(dim=0)
    product = norm_x * norm_y + epsilon
    cosine = (x * y).sum(0) / torch.where(product == 0, torch.ones_like(product), product)
    angle = torch.rad2deg(torch.acos(cosine.clamp(-1.0, 1.0)))
    undefined = (norm_x == 0) | (norm_y == 0)
    if zero == "skip":
        defined = angle[~undefined]
        return float(defined.mean()) if defined.numel() else 0.0
    if zero == "zero_angle":
        angle = angle.masked_fill(undefined, 0.0)
    elif zero == "one_sided":
        angle = angle.masked_fill((norm_x == 0) & (norm_y == 0), 0.0)
    return float(angle.mean())


def ergas(restored: Tensor, target: Tensor, ratio: float, mean: ErgasMean, reference: Tensor) -> float:
    """Return the relative dimensionless global error in synthesis (ERGAS): 100 / ratio * sqrt(mean_b(MSE_b / m_b)).

    Args:
        restored: `C x H x W`.
        target: `C x H x W`.
        ratio: spatial ratio of the task (1 for denoising, 4 for x4 super-resolution).
        mean: m_b is the `squared` band mean (the definition) or the `plain` one (T3SC, HIR-Diff, MATLAB codes).
        reference: the cube whose band means are taken: the target, or the restored cube (HIR-Diff).

    Returns:
        The error; bands whose mean is zero have no relative error and are left out, 0 if no band is left.
    """
    errors = (restored.double() - target.double()).square().mean(dim=(-2, -1))
    means = reference.double().mean(dim=(-2, -1))
    scale = means.square() if mean == "squared" else means
    relative = (errors / torch.where(scale == 0, torch.ones_like(scale), scale))[scale != 0]
    return 100.0 / ratio * math.sqrt(float(relative.mean())) if relative.numel() else 0.0
