"""Spectra for the embedded sample scenes: from a colour photograph to a hyperspectral cube.

`bands` are the wavelengths, `observer` says what colour a spectrum has, `reconstruction` gives the smooth spectrum of
a colour, `metamers` gives other spectra of the same colour, `materials` says which pixels share them, `illuminants`
lights them, `photographs` finds the pixels, `catalogue` names the scenes and `synthesis` makes a cube of all this.
"""

from datamodules.spectra.bands import WAVELENGTHS
from datamodules.spectra.catalogue import (
    OBSERVED,
    TRAINING,
    UNOBSERVED,
    VALIDATION,
    SampleSettings,
    plot_of,
    sample_cube,
)
from datamodules.spectra.illuminants import ILLUMINANTS, illuminant

__all__ = [
    "ILLUMINANTS",
    "OBSERVED",
    "TRAINING",
    "UNOBSERVED",
    "VALIDATION",
    "WAVELENGTHS",
    "SampleSettings",
    "illuminant",
    "plot_of",
    "sample_cube",
]
