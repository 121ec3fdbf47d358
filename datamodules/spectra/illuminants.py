"""Illuminants at 400..700 nm step 10, each scaled to a mean of 1 over the bands."""

from collections.abc import Callable

import numpy as np

from datamodules.spectra.bands import WAVELENGTHS, Array
from hyperalign.errors import InputError

_NM = np.array(WAVELENGTHS)

# CIE standard illuminant D65 (ISO 11664-2), relative power at 400, 410, ..., 700 nm.
_D65_POWER = (
    "82.75 91.49 93.43 86.68 104.86 117.01 117.81 114.86 115.92 108.81 109.35 107.80 104.79 107.69 104.41 104.05 "
    "100.00 96.33 95.79 88.69 90.01 89.60 87.70 83.29 83.70 80.03 80.21 82.28 78.28 69.72 71.61"
)


def _planck(kelvin: float) -> Array:
    """Relative spectral power of a black body (Planck's law; second radiation constant 1.4388e7 nm K)."""
    power: Array = _NM**-5.0 / np.expm1(1.4388e7 / (_NM * kelvin))
    return power


def _lines(*lines: tuple[float, float, float]) -> Array:
    """A sum of Gaussian emission lines (height, centre nm, width nm)."""
    power: Array = np.zeros_like(_NM)
    for height, centre, width in lines:
        power = power + height * np.exp(-0.5 * ((_NM - centre) / width) ** 2)
    return power


ILLUMINANTS: dict[str, Callable[[], Array]] = {
    "equal_energy": lambda: np.ones_like(_NM),
    "d65": lambda: np.array([float(power) for power in _D65_POWER.split()]),
    "incandescent": lambda: _planck(2856.0),
    "halogen": lambda: _planck(3400.0),
    "skylight": lambda: _planck(9500.0),
    # Blue pump and yellow phosphor; the warm kind has less of the pump and a redder phosphor.
    "cool_led": lambda: 0.08 + _lines((1.0, 450.0, 12.0), (0.65, 555.0, 50.0)),
    "warm_led": lambda: 0.08 + _lines((0.45, 450.0, 14.0), (1.0, 600.0, 55.0)),
    # Three phosphors (436, 545, 611 nm) and a continuum, lines as wide as a 10 nm band lets them look.
    "fluorescent": lambda: (
        0.25 + _lines((0.6, 436.0, 12.0), (1.4, 545.0, 12.0), (1.3, 611.0, 12.0), (0.3, 490.0, 14.0))
    ),
}
"""Name -> function giving the relative power of the illuminant in the 31 bands."""


def illuminant(name: str) -> Array:
    """Return the spectral power of a named illuminant in the 31 bands, mean 1.

    Raises:
        ValueError: if no illuminant has this name.
    """
    if name not in ILLUMINANTS:
        raise InputError(
            f"There is no illuminant called {name!r} for the sample scenes: choose {', '.join(ILLUMINANTS)}."
        )
    power = ILLUMINANTS[name]()
    return power / float(power.mean())
