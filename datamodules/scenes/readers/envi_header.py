"""The text header of an ENVI image: read in every encoding and spelling in which ENVI itself opens it, and written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.names import names_centres
from datamodules.scenes.readers.centres import counts_bands
from datamodules.scenes.readers.gdal_items import CENTRE_IN_TEXT
from hyperalign.errors import InputError

Entries = dict[str, str | list[str]]
"""Entries of a header by their names in lower case: text, or the parts of a list in braces."""

TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 6: "c8", 9: "c16", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
"""ENVI's numbers of types."""
ORDERS = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (2, 0, 1)}
"""Axes of the stored array that hold bands, rows and columns."""

_SIZES = ("bands", "lines", "samples", "data type", "byte order", "header offset", "interleave")
_LARGEST_HEADER = 64 << 20
_NO_IMAGE = ("spectral library", "classification", "vector", "region of interest", "table")
_MARK = "ENVI"


@dataclass(frozen=True)
class Layout:
    """Where the values of an image lie.

    Attributes:
        shape: bands, rows and columns.
        dtype: type and byte order in the file.
        offset: bytes before the first value.
        interleave: `bsq`, `bil` or `bip`.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    interleave: str

    @property
    def stored(self) -> tuple[int, int, int]:
        """Sizes of the axes in the order in which they are stored."""
        sizes = [0, 0, 0]
        for size, axis in zip(self.shape, ORDERS[self.interleave], strict=True):
            sizes[axis] = size
        return sizes[0], sizes[1], sizes[2]

    @property
    def end(self) -> int:
        """Bytes that the file must have."""
        bands, rows, columns = self.shape
        return self.offset + bands * rows * columns * self.dtype.itemsize


def is_envi_header(path: Path) -> bool:
    """Tell whether a file starts as an ENVI header does; `.hdr` is the ending of other formats as well."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return False
    return _decoded(start).lstrip().upper().startswith(_MARK)


def read_entries(path: Path) -> Entries:
    """Read a header.

    Raises:
        OSError: if it cannot be read.
        ValueError: one sentence, if it is no ENVI header.
    """
    try:
        if path.stat().st_size > _LARGEST_HEADER:
            raise _damaged(path, "is far too long for one")
        text = _decoded(path.read_bytes())
    except OSError as error:
        raise_true_cause(path, error)
        raise
    lines = iter(text.splitlines())
    if not next(lines, "").strip().upper().startswith(_MARK):
        raise _damaged(path, "does not start with the word ENVI")
    entries: Entries = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or line.lstrip().startswith(";"):
            continue
        value = value.strip()
        if value.startswith("{"):
            while "}" not in value:
                if (more := next(lines, None)) is None:
                    raise _damaged(path, f"ends within the braces of {name.strip()!r}")
                value += "\n" + more.strip()
        name = name.strip().lower()
        read = _parts(name, value)
        if name in _SIZES and entries.get(name, read) != read:
            raise _refused(path, f"states {name!r} twice, as {entries[name]} and as {read}", "repair it")
        entries[name] = read
    return entries


def layout_of(path: Path, entries: Mapping[str, str | list[str]]) -> Layout:
    """Return where the values lie.

    Raises:
        ValueError: one sentence, for sizes, a type or an order that no image has, or a file that is compressed or
            no image.
    """
    kind = str(entries.get("file type", "ENVI Standard")).lower()
    if found := next((word for word in _NO_IMAGE if word in kind), None):
        raise _refused(path, f"describes a {found} and no image", "leave it out")
    if str(entries.get("file compression", "0")).strip() not in ("0", ""):
        raise _refused(path, "says that its image is compressed (`file compression`)", "save it uncompressed")
    if any(_frames(entries, name) for name in ("major frame offsets", "minor frame offsets")):
        raise _refused(path, "says that bytes lie between its frames (`frame offsets`)", "save it as ENVI Standard")
    shape = (_count(path, entries, "bands"), _count(path, entries, "lines"), _count(path, entries, "samples"))
    order = _number(path, entries, "byte order", 0)
    if order not in (0, 1):
        raise _refused(path, f"has byte order = {order}, which is neither 0 nor 1", "repair it")
    code = _number(path, entries, "data type", None)
    if code not in TYPES:
        raise _refused(path, f"has data type = {code}, which ENVI does not have", "repair it")
    interleave = str(entries.get("interleave", "bsq" if shape[0] == 1 else "nothing")).strip().lower()
    if interleave not in ORDERS:
        raise _refused(path, f"has interleave = {interleave}, which is none of {', '.join(ORDERS)}", "repair it")
    offset = _number(path, entries, "header offset", 0)
    if offset < 0:
        raise _refused(path, f"has header offset = {offset}", "repair it")
    return Layout(shape, np.dtype(("<" if order == 0 else ">") + TYPES[code]), offset, interleave)


def stated_wavelengths(entries: Mapping[str, str | list[str]], bands: int) -> tuple[list[str] | str, str] | None:
    """Return the centres of the bands as a header states them, and its word for their unit; None if it does not.

    They are the entry `wavelength` (or `wavelengths`, `center wavelength`), or stand in the names of the bands.
    """
    unit = str(entries.get("wavelength units", ""))
    for name in sorted(entries, key=lambda name: name != "wavelength"):
        if names_centres(name) and "unit" not in name and name not in ("bands", "band"):
            values = entries[name]
            found = [values] if isinstance(values, str) and bands == 1 else values
            # A plain count of the bands, in an unknown unit, says nothing.
            if isinstance(found, list) and counts_bands(_floats(found), unit):
                return None
            return found, unit
    names = entries.get("band names")
    if not isinstance(names, list) or len(names) != bands:
        return None
    matches = [CENTRE_IN_TEXT.search(text) for text in names]
    if all(matches):
        return [match[1] for match in matches if match], matches[0][2] if matches[0] else ""
    numbers = _floats(names)
    return (list(names), "") if len(numbers) == bands and min(numbers) >= 200 and len(set(numbers)) == bands else None


def write_entries(path: Path, entries: Mapping[str, str | list[str]]) -> None:
    """Write a header.

    Raises:
        OSError: if it cannot be written.
    """
    lines = [_MARK]
    for name, value in entries.items():
        lines.append(f"{name} = {value if isinstance(value, str) else '{' + ', '.join(value) + '}'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _decoded(raw: bytes) -> str:
    """Return the text of a header: UTF-8 with or without its mark, UTF-16 with it, else Latin-1."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _parts(name: str, value: str) -> str | list[str]:
    """Return the parts of a list; what is one text, with commas of its own, stays as it is."""
    if not value.startswith("{"):
        return value
    inner = value[1 : value.index("}")]
    if name in ("description", "coordinate system string", "projection string") or '"' in inner:
        return value[: value.index("}") + 1]
    parts = [part.strip() for part in inner.replace("\n", " ").split(",")]
    # Lists are often ended with a comma, or begun with one.
    return parts[bool(parts[:1] == [""]) : len(parts) - bool(len(parts) > 1 and not parts[-1])]


def _number(path: Path, entries: Mapping[str, str | list[str]], name: str, default: int | None) -> int:
    text = entries.get(name, default)
    if text is None:
        raise _refused(path, f"lacks the entry {name!r}", "repair it, or download it again")
    try:
        number = float(str(text))
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise _refused(path, f"has {name} = {str(text)[:40]}", "repair it")
    return int(number)


def _count(path: Path, entries: Mapping[str, str | list[str]], name: str) -> int:
    number = _number(path, entries, name, None)
    if number < 1:
        raise _refused(path, f"has {name} = {number}", "repair it")
    return number


def _frames(entries: Mapping[str, str | list[str]], name: str) -> bool:
    values = entries.get(name, [])
    return any(number != 0 for number in _floats(values if isinstance(values, list) else [values]))


def _floats(values: list[str]) -> list[float]:
    """Return numbers; none if one of them is no number."""
    try:
        return [float(value) for value in values]
    except ValueError:
        return []


def _damaged(path: Path, what: str) -> ValueError:
    return InputError(f"The ENVI header {path} is damaged or describes no image, as it {what}: download it again.")


def _refused(path: Path, what: str, remedy: str) -> ValueError:
    return InputError(f"The ENVI header {path} {what}: {remedy}.")
