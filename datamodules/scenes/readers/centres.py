"""Wavelengths as files and people write them, made one list in nanometres, and back in the file's own unit."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hyperalign.errors import InputError

_LARGEST_MICROMETRES = 100.0
_SMALLEST_NANOMETRES = 50.0
"""Below, a list is of no optical sensor: its unit is another one than its numbers suggest."""

_ANGSTROM = re.compile(r"^(å|Å|a|ang(str(o|ö)m)?s?)$", re.IGNORECASE)
_OTHER = re.compile(
    r"wave ?number|cm ?\^?-1|1/cm|kayser|[kmgt]?hz|hertz|^(index|indices|band ?(number|index)s?)$|^(m|meters?|metres?)$"
    r"|^(mm|cm|millimet(er|re)s?|centimet(er|re)s?)$|^e?v$|electron ?volts?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Centres:
    """The centres of a file's bands.

    Attributes:
        nanometres: in nm.
        stated: as the file states them, in its own unit.
        unit: one of the file's units in nm.
    """

    nanometres: tuple[float, ...]
    stated: tuple[float, ...]
    unit: float = 1.0

    def in_unit(self, wavelengths: Sequence[float]) -> tuple[float, ...]:
        """Return wavelengths in nm in the file's unit: its own numbers where they are its own bands."""
        own = dict(zip(self.nanometres, self.stated, strict=True))
        return tuple(own.get(centre, round(centre / self.unit, 9)) for centre in wavelengths)


def centres_from_file(values: Iterable[Any], bands: int, where: str, unit: str = "") -> tuple[float, ...]:
    """Return the wavelengths that a file states, in nm; see `stated_centres`."""
    return stated_centres(values, bands, where, unit).nanometres


def stated_centres(values: Iterable[Any], bands: int, where: str, unit: str = "") -> Centres:
    """Return the wavelengths that a file states, in nm and as they are stated.

    Nanometres and micrometres are told by the numbers and not by the file's word for them, which is often missing or
    `Unknown`: centres below 100 are micrometres. For other units the word is needed.

    Args:
        values: one number per band, as numbers or text.
        bands: number of bands.
        where: the file, for the sentence.
        unit: the file's word for the unit, if it has one.

    Raises:
        ValueError: if they are no positive numbers, not one per band, in a unit that is no length (wavenumbers,
            frequencies, indices) or a rare one, or neither ascending nor descending: a list out of order is more often
            a damaged header than a sensor, so its user has to confirm it.
    """
    try:
        centres = [float(value) for value in values]
    except (TypeError, ValueError):
        centres = []
    word = unit.strip().strip("'\"[]()")
    if _OTHER.search(word):
        raise InputError(
            f"{where} states its wavelengths in the unit {word!r}{_example(word, centres)}: give `wavelengths`, the "
            f"centre of each of its {bands} bands in nm."
        )
    if len(centres) != bands or not all(math.isfinite(centre) and centre > 0 for centre in centres):
        raise InputError(
            f"{where} has no wavelength for each of its {bands} bands: repair it, download it again, or give "
            "`wavelengths`."
        )
    factor = 0.1 if _ANGSTROM.match(word) else 1000.0 if max(centres) < _LARGEST_MICROMETRES else 1.0
    # Rounded, so that 0.55 and 550 come out as the same number.
    nanometres = tuple(round(centre * factor, 6) for centre in centres)
    if max(nanometres) < _SMALLEST_NANOMETRES:
        raise InputError(
            f"{where} states wavelengths up to {max(centres):g}, which are neither nm nor micrometres: give "
            "`wavelengths` in nm."
        )
    ascending = nanometres if nanometres[0] <= nanometres[-1] else nanometres[::-1]
    for before, after in pairwise(ascending):
        if before >= after:
            raise InputError(
                f"The wavelengths of {where[:1].lower()}{where[1:]} are not sorted ({before:g} nm beside {after:g} "
                "nm): repair them, or give `wavelengths` in the order of the bands to confirm it."
            )
    return Centres(nanometres, tuple(centres), factor)


def are_numbers_of_bands(values: Sequence[float], selected: bool = False) -> bool:
    """Tell whether a list counts the bands, from 0 or from 1, instead of giving their wavelengths.

    Args:
        values: the list.
        selected: whether it may also be the numbers of some bands, which are whole and begin below 200.
    """
    if (
        selected
        and all(value == int(value) for value in values if math.isfinite(value))
        and min(values, default=0) < 200
    ):
        return True
    return len(values) > 1 and values[0] in (0, 1) and all(after - before == 1 for before, after in pairwise(values))


def _example(word: str, centres: Sequence[float]) -> str:
    """Return what the first of the centres would be in nm, where that is a matter of arithmetic."""
    if not centres or not centres[0] > 0 or not re.search(r"wave ?number|cm ?\^?-1|1/cm|kayser", word, re.IGNORECASE):
        return ""
    return f" (its first, {centres[0]:g}, would be {1e7 / centres[0]:g} nm)"


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
