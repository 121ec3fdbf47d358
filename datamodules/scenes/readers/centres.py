"""Wavelengths as files and people write them, made one list in nanometres."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from hyperalign.errors import InputError

_LARGEST_MICROMETRES = 100.0


def centres_from_file(values: Iterable[Any], bands: int, where: str) -> tuple[float, ...]:
    """Return the wavelengths that a file states, in nm.

    The unit is told by the numbers and not by the file's word for it, which is often missing or `Unknown`: centres
    below 100 are micrometres.

    Args:
        values: one number per band, as numbers or text.
        bands: number of bands.
        where: the file, for the sentence.

    Raises:
        ValueError: if they are no positive numbers, not one per band, or neither ascending nor descending: a list out
            of order is more often a damaged header than a sensor, so its user has to confirm it.
    """
    try:
        centres = [float(value) for value in values]
    except (TypeError, ValueError):
        centres = []
    if len(centres) != bands or not all(math.isfinite(centre) and centre > 0 for centre in centres):
        raise InputError(
            f"{where} has no wavelength for each of its {bands} bands: repair it, download it again, or give "
            "`wavelengths`."
        )
    factor = 1000.0 if max(centres) < _LARGEST_MICROMETRES else 1.0
    # Rounded, so that 0.55 and 550 come out as the same number.
    nanometres = tuple(round(centre * factor, 6) for centre in centres)
    ascending = nanometres if nanometres[0] <= nanometres[-1] else nanometres[::-1]
    for before, after in pairwise(ascending):
        if before >= after:
            raise InputError(
                f"The wavelengths of {where[:1].lower()}{where[1:]} are not sorted ({before:g} nm beside {after:g} "
                "nm): repair them, or give `wavelengths` in the order of the bands to confirm it."
            )
    return nanometres


def centres_from_user(values: Sequence[float], what: str) -> tuple[float, ...]:
    """Return the wavelengths that a user gave for a file, in nm, in whatever order.

    Args:
        values: one number per band.
        what: the file, for the sentence.

    Raises:
        ValueError: if there is none, or they are no positive numbers, doubled, or in micrometres.
    """
    centres = tuple(float(value) for value in values)
    if not centres or not all(math.isfinite(centre) and centre > 0 for centre in centres):
        raise InputError(
            f"The `wavelengths` given for {what} are no list of positive numbers: give one per band, in nm."
        )
    if max(centres) < _LARGEST_MICROMETRES:
        raise InputError(
            f"The `wavelengths` given for {what} end at {max(centres):g}, which is micrometres: give them in nm, "
            f"{max(centres) * 1000:g} instead."
        )
    if len(set(centres)) != len(centres):
        doubled = next(centre for centre in centres if centres.count(centre) > 1)
        raise InputError(f"The `wavelengths` given for {what} hold {doubled:g} nm twice: give every band its own.")
    return centres
