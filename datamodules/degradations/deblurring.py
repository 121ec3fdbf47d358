"""The deblurring task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from datamodules.degradations.base import Degradation, check_choice, check_shape
from datamodules.degradations.operators import BOUNDARIES, Separable, SparseRows, matrix_from_taps
from hyperalign.errors import InputError


def gaussian_kernel(kernel_size: int, sigma: float) -> Tensor:
    """Return `kernel_size` float64 samples of a centred Gaussian of `sigma` pixels that sum to 1."""
    offset = torch.arange(kernel_size, dtype=torch.float64) - (kernel_size - 1) / 2
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    return kernel / kernel.sum()


@lru_cache(maxsize=16)
def _blur_rows(size: int, kernel_size: int, sigma: float, boundary: str) -> SparseRows:
    """Return the blur of one axis as a matrix; made once for each size."""
    kernel = gaussian_kernel(kernel_size, sigma)
    index = torch.arange(size)[:, None] + torch.arange(kernel_size) - kernel_size // 2
    return SparseRows(matrix_from_taps(index, kernel.expand(size, kernel_size), size, boundary))


class GaussianBlurring(Degradation):
    """The same Gaussian blur in every band; deterministic.

    Args:
        kernel_size: odd width of the kernel in pixels.
        sigma: standard deviation in pixels; by default `0.3 ((kernel_size - 1) / 2 - 1) + 0.8` (2.6 for 15), the
            rule of MP-HSIR.
        boundary: what lies outside the image: `reflect` (mirror that does not repeat the edge, the default),
            `symmetric` (mirror that does), `replicate`, `circular`, or `zero` (MP-HSIR, whose borders darken).

    Raises:
        ValueError: an even or non-positive kernel size, a sigma that is not positive and finite, an unknown boundary.
    """

    def __init__(self, kernel_size: int = 15, sigma: float | None = None, boundary: str = "reflect") -> None:
        check_choice(boundary, BOUNDARIES, "The boundary of the Gaussian blur")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise InputError(f"kernel_size is {kernel_size} but a centred blur needs an odd number of at least 1.")
        self.kernel_size = int(kernel_size)
        self.sigma = round(0.3 * ((kernel_size - 1) / 2 - 1) + 0.8, 9) if sigma is None else float(sigma)
        if not 0.0 < self.sigma < math.inf:
            raise InputError(f"The sigma of the Gaussian blur is {sigma} but must be a positive number of pixels.")
        self.boundary = boundary

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Separable:
        """Return the operator for a cube of `shape` (C, H, W); the generator is left untouched."""
        _, height, width = check_shape(shape)
        rows, columns = (_blur_rows(n, self.kernel_size, self.sigma, self.boundary) for n in (height, width))
        return Separable(rows, columns)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name, kernel size, sigma in pixels and boundary."""
        return {
            "class": type(self).__name__,
            "kernel_size": self.kernel_size,
            "sigma": self.sigma,
            "boundary": self.boundary,
        }
