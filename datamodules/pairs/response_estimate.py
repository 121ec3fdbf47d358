"""The spectral response from a pair on one grid: not negative, as in CNMF, or smooth, as in HySure; with an offset.

Yokoya, Yairi, Iwasaki, "Coupled nonnegative matrix factorization unmixing", IEEE TGRS 50(2), 2012; Simoes,
Bioucas-Dias, Almeida, Chanussot, "A convex formulation for hyperspectral image superresolution" (HySure), IEEE TGRS
53(6), 2015.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from hyperalign.errors import InputError

__all__ = ["estimate_response"]

ROUNDING = 1e-6
"""Deviation along a principal axis, over the largest one, that single precision cannot tell from none."""


def estimate_response(low: Tensor, channels: Tensor, smoothness: float | None = None) -> tuple[Tensor, Tensor]:
    """Find for every channel the weights of the bands, and an offset, that explain it with the least squared error.

    The offset stands for stray light and dark current.

    Args:
        low: hyperspectral pixels `C x N`, bands in the order of their wavelengths.
        channels: the same pixels as the multispectral sensor sees them, `c x N`.
        smoothness: None keeps weights from being negative, which is CNMF's rule and suits curves with sharp edges.
            A number weighs the squared differences between neighbouring bands instead, relative to the bands' mean
            variance (HySure, Eq. 14); weights may then be negative.

    Returns:
        Response `c x C` and offsets `c`, float64, in the units of the images.

    Raises:
        InputError: for images without contrast, or of different numbers of pixels.
    """
    if low.shape[1] != channels.shape[1]:
        raise InputError(
            f"A response is estimated from the same pixels of both sensors but there are {low.shape[1]} and "
            f"{channels.shape[1]}: reduce the multispectral image to the grid of the other."
        )
    pixels, seen = low.double(), channels.double()
    means, levels = pixels.mean(dim=1, keepdim=True), seen.mean(dim=1, keepdim=True)
    pixels, seen = pixels - means, seen - levels
    gram = pixels @ pixels.T
    if not bool(gram.trace() > 0):
        raise InputError("A response is estimated from an image without contrast: give one that is not constant.")
    right = pixels @ seen.T
    if smoothness is None:
        response = _not_negative(gram, right)
    else:
        steps = torch.eye(len(low), dtype=gram.dtype).diff(dim=0)
        penalty = smoothness * gram.diagonal().mean() * (steps.T @ steps)
        response = torch.linalg.solve(gram + penalty, right).T
    return response, (levels - response @ means)[:, 0]


def _not_negative(gram: Tensor, right: Tensor) -> Tensor:
    """Solve `c` non-negative least squares from their normal equations, in the principal axes of the pixels.

    Axes that hold nothing but rounding are left out: weights of any size would be found along them.
    """
    values, axes = torch.linalg.eigh(gram)
    lengths = values.clamp_min(0).sqrt()
    kept = lengths > ROUNDING * lengths.max()
    basis = (lengths[kept, None] * axes[:, kept].T).numpy()
    projected = (axes[:, kept].T @ right) / lengths[kept, None]
    rows = [nnls(basis, column.numpy(), maxiter=50 * len(gram))[0] for column in projected.T]
    return torch.from_numpy(np.stack(rows))
