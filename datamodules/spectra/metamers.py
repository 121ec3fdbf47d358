"""Random smooth metameric blacks: spectra without colour, so that adding them changes a spectrum and not its colour."""

import numpy as np

from datamodules.spectra.bands import WAVELENGTHS, Array
from datamodules.spectra.observer import colour_matrix


def metameric_blacks(count: int, length_scale: float, generator: np.random.Generator) -> Array:
    """Draw smooth spectra n (31 x count, root mean square up to about 1) with M n = 0, M the colour matrix.

    They are draws of a Gaussian process with a squared-exponential kernel K, conditioned on having no colour:
    n = g - K M^T (M K M^T)^-1 M g. Conditioning keeps them as smooth as the process, which an orthogonal projection
    on the null space of M would not.

    Args:
        count: how many.
        length_scale: correlation length in nm; the smaller, the narrower the peaks.
        generator: where the randomness comes from.
    """
    wavelengths = np.array(WAVELENGTHS)
    distance = wavelengths[:, None] - wavelengths[None, :]
    kernel = np.exp(-0.5 * (distance / length_scale) ** 2)
    root = np.linalg.cholesky(kernel + 1e-8 * np.eye(len(wavelengths)))
    draws: Array = root @ generator.standard_normal((len(wavelengths), count))
    matrix = colour_matrix()
    gain = kernel @ matrix.T @ np.linalg.inv(matrix @ kernel @ matrix.T)
    draws -= gain @ (matrix @ draws)
    # The residue of the inverse is about 1e-9; a second pass takes it to rounding error.
    draws -= gain @ (matrix @ draws)
    return draws


def material_spectra(
    colours: Array,
    primaries: Array,
    strength: float,
    length_scales: tuple[float, float],
    generator: np.random.Generator,
) -> Array:
    """Give every material its own three primary spectra, with the same colours as `primaries`.

    One black is shared by the three primaries of a material (it follows brightness, as shading does), another one
    belongs to each primary (so that details of another hue have other spectra). They are scaled so that the mean
    colour of the material keeps a non-negative spectrum.

    Args:
        colours: mean linear RGB of each material, 3 x materials.
        primaries: 31 x 3, the smooth spectra of the primaries.
        strength: root mean square of the blacks over the mean of the smooth spectrum, before the bound; 0 for none.
        length_scales: shortest and longest correlation length in nm; drawn log-uniformly for each material.
        generator: where the randomness comes from.

    Returns:
        materials x 31 x 3.
    """
    shortest, longest = np.log(length_scales[0]), np.log(length_scales[1])
    spectra = []
    for colour in colours.T:
        length = float(np.exp(generator.uniform(shortest, longest)))
        amount = strength * float(generator.uniform(0.4, 1.4))
        blacks = metameric_blacks(4, length, generator)
        black = blacks[:, :1] + 0.6 * blacks[:, 1:]
        smooth, added = primaries @ colour, black @ colour
        level = max(float(smooth.mean()), 1e-6)
        scale = amount * level / max(float(np.sqrt(np.mean(added**2))), 1e-9)
        # Largest multiple that leaves 2 % of the mean level in the darkest band.
        room = np.maximum(smooth - 0.02 * level, 0.0)
        below = added < 0
        bound = float(np.min(room[below] / -added[below])) if below.any() else scale
        spectra.append(primaries + min(scale, bound) * black)
    return np.stack(spectra)
