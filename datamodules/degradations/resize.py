"""Bicubic resizing as one matrix per axis, for any scale, down and up.

Keys, "Cubic convolution interpolation for digital image processing", 1981, Eq. 15 with a = -0.5. The `matlab`
convention is that of MATLAB's `imresize`: output pixel i reads around `u = (i + 0.5) / s - 0.5`; when the image
shrinks (s < 1) the kernel is stretched by 1/s, so that it also removes what the small grid cannot show.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from datamodules.degradations.base import check_choice
from datamodules.degradations.operators import Separable, SparseRows, matrix_from_taps
from hyperalign.errors import InputError

RESIZE_CONVENTIONS = ("matlab", "align_corners")


def cubic_kernel(distance: Tensor, a: float) -> Tensor:
    """Return Keys' cubic kernel of parameter `a` at the given distances (in samples); 0 from distance 2 on."""
    x = distance.abs()
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    return torch.where(x <= 1.0, near, torch.where(x < 2.0, far, torch.zeros_like(x)))


def resize_matrix(size: int, new_size: int, convention: str = "matlab") -> Tensor:
    """Return the `new_size x size` float64 matrix that resizes one axis.

    Args:
        size: number of samples before.
        new_size: number of samples after.
        convention: `matlab` (a = -0.5, antialiased when shrinking, mirrored border that repeats the edge), or
            `align_corners` (the corner samples of both grids coincide, a = -0.75, four taps, no antialiasing,
            replicated border; torch's interpolation with that flag, used by MP-HSIR).

    Returns:
        Rows that sum to 1.

    Raises:
        ValueError: a size below 1, or an unknown convention.
    """
    check_choice(convention, RESIZE_CONVENTIONS, "The convention of the bicubic resize")
    if size < 1 or new_size < 1:
        raise InputError(f"Resizing needs sizes of at least 1 pixel but got {size} to {new_size}.")
    position = torch.arange(new_size, dtype=torch.float64)
    if convention == "matlab":
        scale = new_size / size
        centre, stretch, a, boundary = (position + 0.5) / scale - 0.5, min(scale, 1.0), -0.5, "symmetric"
    else:
        step = (size - 1) / (new_size - 1) if new_size > 1 else 0.0
        centre, stretch, a, boundary = position * step, 1.0, -0.75, "replicate"
    reach = math.ceil(2.0 / stretch)
    index = torch.floor(centre).to(torch.int64)[:, None] + torch.arange(-reach, reach + 2)
    weights = cubic_kernel(stretch * (centre[:, None] - index), a)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return matrix_from_taps(index, weights, size, boundary)


@lru_cache(maxsize=16)
def _resize_rows(size: int, new_size: int, convention: str) -> SparseRows:
    """Return the resizing matrix of one axis in its sparse form; made once for each size."""
    return SparseRows(resize_matrix(size, new_size, convention))


def bicubic_resize(height: int, width: int, new_height: int, new_width: int, convention: str = "matlab") -> Separable:
    """Return the operator that resizes `... x height x width` to `... x new_height x new_width`, not clipped."""
    return Separable(_resize_rows(height, new_height, convention), _resize_rows(width, new_width, convention))


def bicubic_upsample(cube: Tensor, scale: int, convention: str = "matlab") -> Tensor:
    """Return `... x h x w` enlarged to `... x scale h x scale w`, as `imresize(cube, scale, 'bicubic')` does.

    Raises:
        ValueError: the scale is below 1.
    """
    if scale < 1:
        raise InputError(f"Bicubic upsampling got the scale {scale} but it must be at least 1.")
    height, width = cube.shape[-2:]
    return bicubic_resize(height, width, scale * height, scale * width, convention).apply(cube)
