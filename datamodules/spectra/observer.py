"""What linear sRGB colour a reflectance spectrum has: the CIE 1931 observer under daylight D65, in 31 bands."""

from functools import cache

import numpy as np

from datamodules.spectra.bands import WAVELENGTHS, Array
from datamodules.spectra.illuminants import illuminant

# Lobes (height, peak nm, width below the peak, width above it) of Wyman, Sloan and Shirley, "Simple Analytic
# Approximations to the CIE XYZ Color Matching Functions", Journal of Computer Graphics Techniques 2(2), 2013, Eq. 4.
_LOBES: tuple[tuple[tuple[float, float, float, float], ...], ...] = (
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)

# Linear sRGB (IEC 61966-2-1) from CIE XYZ.
_SRGB_FROM_XYZ = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)


def colour_matching_functions() -> Array:
    """Return CIE 1931's colour-matching functions at `WAVELENGTHS`, 3 x 31 (X, Y, Z), by their Gaussian fit."""
    wavelengths = np.array(WAVELENGTHS)
    functions = []
    for lobes in _LOBES:
        total = np.zeros_like(wavelengths)
        for height, peak, below, above in lobes:
            width = np.where(wavelengths < peak, below, above)
            total += height * np.exp(-0.5 * ((wavelengths - peak) / width) ** 2)
        functions.append(total)
    return np.stack(functions)


@cache
def colour_matrix() -> Array:
    """Return the linear sRGB (3 x 31) of a reflectance under D65; a flat spectrum of 1 is exactly the white (1, 1, 1).

    The rows are scaled to make white exact, which takes up what the fit and the cut at 400 and 700 nm leave out.
    """
    matrix = _SRGB_FROM_XYZ @ (colour_matching_functions() * illuminant("d65"))
    scaled: Array = matrix / matrix.sum(axis=1, keepdims=True)
    scaled.setflags(write=False)
    return scaled
