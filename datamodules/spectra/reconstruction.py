"""The smooth reflectance spectrum of a colour: three non-negative spectra that sum to one and return the colour.

The idea of Mallett and Yuksel, "Spectral Primary Decomposition for Rendering with sRGB Reflectance", EGSR 2019: find
three spectra, one for each sRGB primary, as smooth as possible, so that every colour inside the sRGB gamut is a
combination of them with non-negative weights. Greys come out flat, and no colour needs clipping.
"""

from functools import cache

import numpy as np
from scipy.optimize import nnls

from datamodules.spectra.bands import Array
from datamodules.spectra.observer import colour_matrix

# Weight of "has the primary's colour" and "sums to one" against "is smooth" in the least-squares problem: large enough
# to make them hold to about 1e-8, small enough to keep the problem well conditioned.
_EXACTNESS = 1e4


@cache
def primary_spectra() -> Array:
    """Return the reflectance spectra of the three linear sRGB primaries, 31 x 3, in [0, 1], rows summing to one."""
    matrix = colour_matrix()
    bands = matrix.shape[1]
    curvature = np.diff(np.eye(bands), n=2, axis=0)
    system = np.concatenate(
        [np.kron(np.eye(3), curvature), _EXACTNESS * np.kron(np.eye(3), matrix), _EXACTNESS * np.tile(np.eye(bands), 3)]
    )
    wanted = np.concatenate([np.zeros(3 * (bands - 2)), _EXACTNESS * np.eye(3).ravel(), np.full(bands, _EXACTNESS)])
    solution, _ = nnls(system, wanted)
    spectra = np.asarray(solution, dtype=np.float64).reshape(3, bands).T.copy()
    spectra.setflags(write=False)
    return spectra


def reflectance(rgb: Array) -> Array:
    """Return the reflectance spectra (31 x ...) of linear sRGB colours (3 x ...) in [0, 1]; linear in the colour."""
    return np.tensordot(primary_spectra(), rgb, axes=1)
