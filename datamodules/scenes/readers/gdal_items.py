"""What GDAL's metadata say about the bands of a TIFF: in the tag, or in the `.aux.xml` file beside the image."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.scenes.facts.names import names_centres, names_missing
from datamodules.scenes.readers.centres import are_numbers_of_bands
from hyperalign.files import beside

_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
_BAND = re.compile(r"band[_ ]?(\d+)$", re.IGNORECASE)
_LARGEST = 64 << 20
CENTRE_IN_TEXT = re.compile(
    r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w*|[uµμ]m|micro(?:n|met)\w*|Å|angstr\w*|cm\^?-1|1/cm|[GT]Hz)(?![a-z])",
    re.IGNORECASE,
)
"""A wavelength with its unit within the name of a band: `Band 12 (447.2 Nanometers)`."""


@dataclass(frozen=True)
class Item:
    """One entry of GDAL's metadata.

    Attributes:
        name: in lower case.
        text: its value.
        sample: number of the band that it is of; None if it is of all of them.
    """

    name: str
    text: str
    sample: int | None = None


def items_of_tag(text: str) -> list[Item]:
    """Return the entries of a GDAL_METADATA tag; none if it is no well-formed XML without entities."""
    if not text.startswith("<GDALMetadata") or (root := _parsed(text)) is None:
        return []
    found = []
    for item in root.iter("Item"):
        sample = item.get("sample") or ""
        number = int(sample) if sample.isdigit() else None
        found.append(Item((item.get("name") or "").lower(), item.text or "", number))
    return found


def items_beside(path: Path) -> list[Item]:
    """Return the entries of the `.aux.xml` file beside an image; none if there is none or it cannot be read."""
    aside = beside(path, ".aux.xml")
    try:
        text = aside.read_text(encoding="utf-8") if aside.stat().st_size < _LARGEST else ""
    except (OSError, UnicodeError):
        return []
    root = _parsed(text) if "<PAMDataset" in text else None
    return [] if root is None else list(_pam(root))


def wavelengths_of(items: list[Item], bands: int) -> tuple[list[float], str] | None:
    """Return the centres of the bands and the word for their unit; None if there is not one for each band."""
    unit = next(
        (item.text for item in items if re.sub(r"[\s_]+", "", item.name) in ("wavelengthunits", "wavelengthunit")), ""
    )
    plain: dict[int, float] = {}
    named: dict[int, tuple[float, str]] = {}
    for item in items:
        numbers = _NUMBER.findall(item.text)
        if names_centres(item.name) and numbers and item.sample is not None:
            plain[item.sample] = float(numbers[0])
        elif names_centres(item.name) and item.sample is None and len(numbers) == bands:
            plain = {band: float(number) for band, number in enumerate(numbers)}
        elif (match := CENTRE_IN_TEXT.search(item.text)) and (band := _band(item)) is not None:
            named[band] = (float(match[1]), match[2])
    if _one_for_each(plain, bands):
        values = [plain[band] for band in range(bands)]
        return None if are_numbers_of_bands(values) else (values, unit)
    if _one_for_each(named, bands):
        return [named[band][0] for band in range(bands)], named[0][1]
    return None


def _one_for_each(stated: Collection[int], bands: int) -> bool:
    """Tell whether a number is stated for each band; a damaged file claims any number of bands."""
    return len(stated) == bands and all(band in stated for band in range(bands))


def of_other_bands(text: str, picked: Sequence[int] | None) -> str:
    """Return a GDAL_METADATA tag for other bands: entries of single bands follow them, or are left out.

    Args:
        text: the tag.
        picked: numbers of the bands that are kept, in their new order; None if the bands are new ones.

    Returns:
        The tag's text, empty if nothing is left of it.
    """
    if (root := _parsed(text)) is None:
        return ""
    places = {band: number for number, band in enumerate(picked or ())}
    for item in list(root.findall("Item")):
        sample = item.get("sample") or ""
        if not sample.isdigit() and not _BAND.match(item.get("name") or ""):
            continue
        if sample.isdigit() and int(sample) in places:
            item.set("sample", str(places[int(sample)]))
        else:
            root.remove(item)
    return ElementTree.tostring(root, encoding="unicode") if len(root) else ""


def missing_text(items: list[Item]) -> str:
    """Return the text of the entries that name a mark of missing values."""
    return " ".join(item.text for item in items if names_missing(item.name))


def _band(item: Item) -> int | None:
    if item.sample is not None:
        return item.sample
    match = _BAND.match(item.name)
    return int(match[1]) - 1 if match else None


def _pam(root: ElementTree.Element) -> Iterator[Item]:
    for entry in root.findall("Metadata/MDI"):
        yield Item((entry.get("key") or "").lower(), entry.text or "")
    for band in root.iter("PAMRasterBand"):
        number = band.get("band") or ""
        sample = int(number) - 1 if number.isdigit() else None
        for entry in band.iter("MDI"):
            yield Item((entry.get("key") or "").lower(), entry.text or "", sample)
        for name in ("NoDataValue", "Description"):
            if (child := band.find(name)) is not None and child.text:
                yield Item(name.lower(), child.text, sample)


def _parsed(text: str) -> ElementTree.Element | None:
    if "<!" in text.replace("<!--", ""):
        return None
    try:
        return ElementTree.fromstring(text.strip("\x00 \n"))  # noqa: S314 - no entities: see above
    except (ElementTree.ParseError, ValueError):
        return None
