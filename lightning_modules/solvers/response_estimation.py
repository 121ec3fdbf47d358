"""The spectral response estimated from a pair of images by non-negative least squares with an offset (CNMF's estR)."""

from __future__ import annotations

import torch
from scipy.optimize import nnls
from torch import Tensor

from lightning_modules.solvers.result import SolverError

__all__ = ["estimate_response"]

ROUNDING = 1e-6
"""Deviation along a principal axis, over the largest one, that single precision cannot tell from none."""


def estimate_response(low: Tensor, channels: Tensor) -> tuple[Tensor, Tensor]:
    """Find for every channel the non-negative weights of the bands, and the offset of any sign, that explain it best.

    Yokoya, Yairi, Iwasaki, IEEE TGRS 50(2), 2012. The offset stands for stray light and dark current; it is left out
    of the least squares by centring both sides.

    Args:
        low: hyperspectral image `C x h x w`.
        channels: multispectral image reduced to its grid, `c x h x w`.

    Returns:
        Response `c x C`, and offsets `c`, in the units of the channels.

    Raises:
        SolverError: the two do not lie on one grid.
    """
    if low.shape[1:] != channels.shape[1:]:
        raise SolverError(
            f"A response is estimated from two images of one grid but they have {list(low.shape[1:])} and "
            f"{list(channels.shape[1:])} pixels; reduce the multispectral image first."
        )
    pixels, seen = low.double().flatten(1).T.cpu(), channels.double().flatten(1).T.cpu()
    means = pixels.mean(dim=0)
    # Least squares in the principal axes are those of all pixels. Axes that hold nothing but rounding are left out:
    # weights of any size would be found along them.
    left, lengths, axes = torch.linalg.svd(pixels - means, full_matrices=False)
    kept = lengths > ROUNDING * lengths.max()
    reduced = lengths[kept, None] * axes[kept]
    projected = left[:, kept].T @ (seen - seen.mean(dim=0))
    if not bool(kept.any()):
        raise SolverError("A response is estimated from an image without contrast; give one that is not constant.")
    response = torch.stack([torch.from_numpy(nnls(reduced.numpy(), column.numpy())[0]) for column in projected.T])
    return response.to(channels), (seen.mean(dim=0) - response @ means).to(channels)
