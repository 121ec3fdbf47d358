"""Bands chosen by their wavelength, never by their index (HIR-ALIGN, Eq. 4)."""

from collections.abc import Sequence

from torch import Tensor

from hyperalign.errors import InputError

RGB_WAVELENGTHS: tuple[float, float, float] = (660.0, 550.0, 470.0)
"""Red, green and blue in nm: the bands nearest to these make the RGB picture of a cube."""


def rgb_bands(wavelengths: Sequence[float], tolerance: float = 25.0) -> tuple[int, int, int]:
    """Return the indices of the bands nearest to 660, 550 and 470 nm.

    Args:
        wavelengths: centre of every band in nm, in the order of the cube's bands; it need not be sorted.
        tolerance: largest allowed distance in nm between a colour and its nearest band.

    Returns:
        Three band indices: red, green, blue.

    Raises:
        ValueError: if there is no band within `tolerance` of one of the three.
    """
    if not wavelengths:
        raise InputError("The list of wavelengths is empty: give the centre of every band in nm.")
    bands = []
    for colour in RGB_WAVELENGTHS:
        nearest = min(range(len(wavelengths)), key=lambda band: abs(wavelengths[band] - colour))
        distance = abs(wavelengths[nearest] - colour)
        if not distance <= tolerance:
            raise InputError(
                f"The {len(wavelengths)} bands from {min(wavelengths):g} to {max(wavelengths):g} nm do not cover "
                f"{colour:g} nm (the nearest is {distance:g} nm away, {tolerance:g} allowed), so no RGB picture can be "
                "made of them: check that the wavelengths are in nm, or give a cube that covers 470, 550 and 660 nm."
            )
        bands.append(nearest)
    return bands[0], bands[1], bands[2]


def to_rgb(cube: Tensor, wavelengths: Sequence[float]) -> Tensor:
    """Return the RGB picture of a cube: its bands nearest to 660, 550 and 470 nm (HIR-ALIGN, Eq. 4).

    Args:
        cube: `... x C x H x W`, usually in [0, 1].
        wavelengths: the C band centres in nm.

    Returns:
        `... x 3 x H x W`, same values, same dtype, red first.

    Raises:
        ValueError: if the number of wavelengths is not C or they do not cover the three colours.
    """
    if cube.ndim < 3 or cube.shape[-3] != len(wavelengths):
        raise InputError(
            f"The cube has shape {tuple(cube.shape)} but {len(wavelengths)} wavelengths were given: "
            "give a ... x C x H x W cube and one wavelength per band."
        )
    return cube[..., list(rgb_bands(wavelengths)), :, :]
