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

_LARGEST_NANOMETRES = 1e5
"""Above, what a list of frequencies or energies comes to is of no optical sensor."""

_ANGSTROM = re.compile(r"^(å|Å|a|ang(str(o|ö)m)?s?)$", re.IGNORECASE)
_OTHER = re.compile(
    r"wave ?number|^(index|indices|band ?(number|index)s?)$|hz|hertz|e?v$|volts?",
    re.IGNORECASE,
)
"""Words for units that are no wavelength's, or do not say enough: a wavenumber may count per cm or per m."""
_PER_CENTIMETRE = re.compile(
    r"^(wave ?numbers?)?[ ,([]*(cm ?\^?\{?(-1|⁻¹)\}?|1 ?/ ?cm|kaysers?|(inverse|reciprocal) ?cent\w*)[)\]]*$",
    re.IGNORECASE,
)
_METRES = {
    re.compile(r"^(m|met(er|re)s?)$", re.IGNORECASE): 1e9,
    re.compile(r"^(cm|centimet(er|re)s?)$", re.IGNORECASE): 1e7,
    re.compile(r"^(mm|millimet(er|re)s?)$", re.IGNORECASE): 1e6,
}
"""Long units of length, as nm; netCDF's conventions have metres."""
_FREQUENCY = re.compile(r"^(k|m|g|t|p|kilo|mega|giga|tera|peta)?(?:hz|hertz)$", re.IGNORECASE)
_ENERGY = re.compile(r"^(m|milli)?[ -]?(?:ev|electron ?volts?)$", re.IGNORECASE)
_PER_SECOND = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15}
_LIGHT, _PLANCK = 2.99792458e17, 1239.8419843320026
"""The speed of light in nm/s; Planck's constant times it in eV nm (SI, both exact)."""


@dataclass(frozen=True)
class Centres:
    """The centres of a file's bands.

    Attributes:
        nanometres: in nm.
        stated: as the file states them, in its own unit.
        unit: one of the file's units in nm.
        reciprocal: whether wavelengths fall as the file's numbers rise, as wavenumbers, frequencies and energies do.
    """

    nanometres: tuple[float, ...]
    stated: tuple[float, ...]
    unit: float = 1.0
    reciprocal: bool = False

    def in_unit(self, wavelengths: Sequence[float]) -> tuple[float, ...]:
        """Return wavelengths in nm in the file's unit: its own numbers where they are its own bands."""
        own = dict(zip(self.nanometres, self.stated, strict=True))
        new = [self.unit / centre if self.reciprocal else centre / self.unit for centre in wavelengths]
        return tuple(own.get(centre, float(f"{number:.10g}")) for centre, number in zip(wavelengths, new, strict=True))


def centres_from_file(values: Iterable[Any], bands: int, where: str, unit: str = "") -> tuple[float, ...]:
    """Return the wavelengths that a file states, in nm; see `stated_centres`."""
    return stated_centres(values, bands, where, unit).nanometres


def stated_centres(values: Iterable[Any], bands: int, where: str, unit: str = "") -> Centres:
    """Return the wavelengths that a file states, in nm and as they are stated.

    Nanometres and micrometres are told by the numbers and not by the file's word for them, which is often missing or
    `Unknown`: centres below 100 are micrometres. For other units the word is needed: Angstrom, mm, cm and m,
    wavenumbers per cm, frequencies (Hz to PHz) and energies (meV, eV) are converted.

    Args:
        values: one number per band, as numbers or text.
        bands: number of bands.
        where: the file, for the sentence.
        unit: the file's word for the unit, if it has one.

    Raises:
        ValueError: if they are no positive numbers, not one per band, in a unit that does not say what they are
            (indices, wavenumbers per nobody knows what) or a rare one, or neither ascending nor descending: a list out
            of order is more often a damaged header than a sensor, so its user has to confirm it.
    """
    try:
        centres = [float(value) for value in values]
    except (TypeError, ValueError):
        centres = []
    word = unit.strip().strip("'\"[]()")
    per = _reciprocal(word)
    if per is None and _OTHER.search(word):
        raise InputError(
            f"{where} states its wavelengths in the unit {word!r}{_example(word, centres)}: give `wavelengths`, the "
            f"centre of each of its {bands} bands in nm."
        )
    if len(centres) != bands or not all(math.isfinite(centre) and centre > 0 for centre in centres):
        raise InputError(
            f"{where} has no wavelength for each of its {bands} bands: repair it, download it again, or give "
            "`wavelengths`."
        )
    long = next((size for pattern, size in _METRES.items() if pattern.match(word)), None)
    near = 1000.0 if max(centres) < _LARGEST_MICROMETRES else 1.0
    factor = per or long or (0.1 if _ANGSTROM.match(word) else near)
    # Rounded, so that 0.55 and 550 come out as the same number.
    nanometres = tuple(round(per / centre if per else centre * factor, 6) for centre in centres)
    if (per or long) and not _SMALLEST_NANOMETRES <= min(nanometres) <= max(nanometres) <= _LARGEST_NANOMETRES:
        raise InputError(
            f"{where} states its wavelengths in the unit {word!r}, from {min(nanometres):g} to {max(nanometres):g} nm, "
            "which is no optical sensor's: give `wavelengths` in nm."
        )
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
    return Centres(nanometres, tuple(centres), factor, per is not None)


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


def counts_bands(values: Sequence[float], unit: str) -> bool:
    """Tell whether a list with a word for its unit counts the bands: `Unknown` says nothing, and 1, 2, 3 are no nm."""
    word = unit.strip().lower()
    says_nothing = word in ("", "unknown", "none", "n/a", "nm") or word.startswith("nano")
    return says_nothing and are_numbers_of_bands(values)


def _reciprocal(word: str) -> float | None:
    """Return what divided by a number in a unit is a wavelength in nm; None for units of length and unknown ones."""
    if _PER_CENTIMETRE.search(word):
        return 1e7
    if (found := _FREQUENCY.match(word)) is not None:
        return _LIGHT / _PER_SECOND[(found[1] or "")[:1].lower()]
    if (found := _ENERGY.match(word)) is not None:
        return _PLANCK * (1000.0 if found[1] else 1.0)
    return None


def _example(word: str, centres: Sequence[float]) -> str:
    """Return what the first of the centres would be in nm, where that is a matter of arithmetic."""
    if not centres or not centres[0] > 0 or not re.search(r"wave ?number", word, re.IGNORECASE):
        return ""
    return f" (its first, {centres[0]:g}, would be {1e7 / centres[0]:g} nm if it is per cm)"


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
