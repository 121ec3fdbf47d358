"""How noisy each band of a cube is, from the cube alone."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.solvers.result import SolverError

__all__ = ["band_noise"]

GAUSSIAN_MEDIAN = 0.6744897501960817
"""Median of the absolute value of a standard normal number."""


def band_noise(observed: Tensor, floor: float = 0.0) -> Tensor:
    """Estimate the standard deviation of each band's noise: median absolute diagonal Haar detail over 0.6745.

    The details `(a - b - c + d) / 2` of disjoint 2 x 2 blocks keep the deviation of white noise and hold little of a
    natural image; their median ignores edges, stripes along columns or rows (which cancel) and impulses in fewer than
    about a tenth of the pixels (Donoho and Johnstone, Biometrika 1994).

    Args:
        observed: `... x H x W`, at least 2 x 2 pixels; an odd last row or column is left out.
        floor: smallest deviation to return, in units of the cube; a constant band would give 0.

    Returns:
        Deviations `...`, in units of the cube.

    Raises:
        SolverError: for images smaller than 2 x 2 pixels.
    """
    height, width = (size // 2 * 2 for size in observed.shape[-2:])
    if min(height, width) < 2:
        raise SolverError(
            f"A band's noise is estimated from 2 x 2 pixels, but the images are {observed.shape[-2]} x "
            f"{observed.shape[-1]}: give larger ones."
        )
    upper, lower = observed[..., 0:height:2, :width], observed[..., 1:height:2, :width]
    differences = upper - lower
    details = (differences[..., 0::2] - differences[..., 1::2]).abs_().div_(2)
    # The lower of the two middle values where there are two: what torch.median gives, without sorting.
    return (details.flatten(-2).median(-1).values / GAUSSIAN_MEDIAN).clamp(min=floor)
