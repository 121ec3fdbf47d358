"""Differences that cancel a scene and leave its noise, and the robust spread of what is left."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_MEDIAN_OF_ABSOLUTE_NORMAL = 0.6744897501960817
_FEW = 400


def diagonal(cube: Floats) -> Floats:
    """Return the diagonal Haar coefficients of every 2 x 2 block.

    White noise keeps its standard deviation; planes, stripes along rows and stripes along columns all become 0.

    Args:
        cube: `... x H x W`.

    Returns:
        `... x H/2 x W/2`, an odd last row or column left out.
    """
    a, b, c, d = _corners(cube)
    details: Floats = (a - b - c + d) / np.float32(2)
    return details


def every_diagonal(band: Floats, valid: Mask) -> Floats:
    """Return the diagonal Haar coefficients of all 2 x 2 windows of valid pixels, also of those that overlap.

    They are four times as many as those of `diagonal`, and tell their spread as more than twice as many would.

    Args:
        band: `H x W`.
        valid: `H x W`, which of them can be used.

    Returns:
        All of them, one after the other.
    """
    whole = valid[:-1, :-1] & valid[:-1, 1:] & valid[1:, :-1] & valid[1:, 1:]
    details = (band[:-1, :-1] - band[:-1, 1:] - band[1:, :-1] + band[1:, 1:]) / np.float32(2)
    found: Floats = details[whole]
    return found


def block_mean(cube: Floats) -> Floats:
    """Return the mean of every 2 x 2 block, `... x H/2 x W/2` of `... x H x W`."""
    a, b, c, d = _corners(cube)
    mean: Floats = (a + b + c + d) / np.float32(4)
    return mean


def block_valid(valid: Mask) -> Mask:
    """Return which 2 x 2 blocks hold valid pixels alone, `... x H/2 x W/2` of `... x H x W`."""
    a, b, c, d = _corners(valid)
    whole: Mask = a & b & c & d
    return whole


def second_differences(band: Floats, valid: Mask) -> Floats:
    """Return scaled second differences along rows, columns and both diagonals wherever three pixels are valid.

    What takes the place of `diagonal` where most pixels are lost: three valid ones in a row are more frequent than four
    in a block. White noise keeps its standard deviation.

    Args:
        band: `H x W`.
        valid: `H x W`, which of them can be used.

    Returns:
        All of them, one after the other.
    """
    middle, scale, found = (slice(1, -1), slice(1, -1)), np.float32(1.5**-0.5), []
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        before = (slice(1 - down, band.shape[0] - 1 - down), slice(1 - across, band.shape[1] - 1 - across))
        after = (slice(1 + down, band.shape[0] - 1 + down), slice(1 + across, band.shape[1] - 1 + across))
        usable = valid[middle] & valid[before] & valid[after]
        differences = (band[middle] - (band[before] + band[after]) / np.float32(2)) * scale
        found.append(differences[usable])
    return np.concatenate(found)


def spread(values: Floats) -> float:
    """Return the standard deviation of zero-mean normal numbers, by the median of their sizes; 0 for none."""
    return float(np.median(np.abs(values))) / _MEDIAN_OF_ABSOLUTE_NORMAL if values.size else 0.0


def robust_sigma(band: Floats, valid: Mask) -> float:
    """Return the standard deviation of the white noise of one band `H x W` from its valid pixels."""
    coefficients = diagonal(band)[block_valid(valid)]
    return spread(coefficients if coefficients.size >= _FEW else second_differences(band, valid))


def _corners(cube: NDArray[np.generic]) -> tuple[NDArray, NDArray, NDArray, NDArray]:  # type: ignore[type-arg]
    height, width = cube.shape[-2] // 2 * 2, cube.shape[-1] // 2 * 2
    even = cube[..., :height, :width]
    return even[..., 0::2, 0::2], even[..., 0::2, 1::2], even[..., 1::2, 0::2], even[..., 1::2, 1::2]
