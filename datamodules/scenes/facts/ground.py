"""Where an image lies on the ground by what its header says, in one form for every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datamodules.scenes.facts.geotiff import (
    PIXEL_SCALE,
    PROJECTED_SYSTEM,
    TIE_POINTS,
    Tag,
    counts_centres,
    geo_keys,
    numbers_of,
)

__all__ = ["Ground", "envi_ground", "tiff_ground"]

_UTM = {326: "North", 327: "South"}
"""EPSG codes of WGS 84 / UTM without their last two digits, which are the zone."""


@dataclass(frozen=True)
class Ground:
    """The outline of an image in map coordinates.

    Attributes:
        system: the coordinates' system, as far as it can be compared between formats.
        left: of the first column's outer border.
        top: of the first row's outer border.
        width: of a pixel.
        height: of a pixel.
        rows: of pixels.
        columns: of pixels.
    """

    system: str
    left: float
    top: float
    width: float
    height: float
    rows: int
    columns: int

    def apart(self, other: Ground) -> float:
        """Return by how many of its own pixels the borders of another image lie off, at most."""
        right, bottom = self.left + self.columns * self.width, self.top - self.rows * self.height
        beyond, below = other.left + other.columns * other.width, other.top - other.rows * other.height
        across = max(abs(self.left - other.left), abs(right - beyond)) / self.width
        along = max(abs(self.top - other.top), abs(bottom - below)) / self.height
        return max(across, along)


def envi_ground(entries: Mapping[str, str | list[str]], rows: int, columns: int) -> Ground | None:
    """Return the outline that ENVI's `map info` states; None where it states none, a turned one or none of a map."""
    entry = entries.get("map info")
    if not (isinstance(entry, list) and entry) or entry[0].strip().lower() == "arbitrary":
        return None
    words = [word.strip() for word in entry]
    try:
        if any(word.lower().startswith("rotation") and float(word.partition("=")[2]) for word in words):
            return None
        column, row, x, y, width, height = map(float, words[1:7])
    except ValueError:
        return None
    system = " ".join(words[:1] + words[7:9]) if words[0] == "UTM" else words[0]
    return _outline(system, (x - (column - 1) * width, y + (row - 1) * height), (width, height), rows, columns)


def tiff_ground(tags: Sequence[Tag], rows: int, columns: int) -> Ground | None:
    """Return the outline that GeoTIFF's pixel scale and one tie point state; None where there are no such tags."""
    scale, tie = numbers_of(tags, PIXEL_SCALE), numbers_of(tags, TIE_POINTS)
    if len(scale) < 2 or len(tie) != 6:
        return None
    width, height = scale[:2]
    inset = 0.5 if counts_centres(tags) else 0.0
    keys = geo_keys(tags)
    code = keys.get(PROJECTED_SYSTEM, 0)
    zone = _UTM.get(code // 100)
    system = f"UTM {code % 100} {zone}" if zone else str(sorted(keys.items()))
    corner = (tie[3] - (tie[0] + inset) * width, tie[4] + (tie[1] + inset) * height)
    return _outline(system, corner, (width, height), rows, columns)


def _outline(
    system: str, corner: tuple[float, float], pixel: tuple[float, float], rows: int, columns: int
) -> Ground | None:
    return Ground(system, *corner, *pixel, rows, columns) if min(pixel) > 0 else None
