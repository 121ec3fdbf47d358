"""The numbers of TIFF tags that say where an image lies, and what GDAL adds; how GeoTIFF's list of keys is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

__all__ = [
    "GDAL_METADATA",
    "GDAL_NODATA",
    "GEOGRAPHIC_TAGS",
    "GEO_KEYS",
    "PIXEL_SCALE",
    "PLACE_TAGS",
    "PROJECTED_SYSTEM",
    "RATIONAL",
    "TIE_POINTS",
    "TRANSFORMATION",
    "Tag",
    "counts_centres",
    "geo_keys",
    "numbers_of",
]

Tag: TypeAlias = tuple[int, int, Any, Any]
"""Code, type, count and value of a TIFF tag."""

PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, RATIONAL = 33550, 33922, 34264, 34735, 50844
_GEO_DOUBLES, _GEO_TEXTS = 34736, 34737
GDAL_METADATA, GDAL_NODATA = 42112, 42113

PLACE_TAGS = (PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, _GEO_DOUBLES, _GEO_TEXTS)
"""Pixel scale, tie points, transformation, and three of keys."""
GEOGRAPHIC_TAGS = (*PLACE_TAGS, GDAL_METADATA, GDAL_NODATA, RATIONAL)
"""These, GDAL's metadata and no-data value, and rational polynomial coefficients."""

_RASTER_TYPE, PROJECTED_SYSTEM = 1025, 3072
_POINT = 2


def numbers_of(tags: Iterable[Tag], code: int) -> tuple[float, ...]:
    """Return the numbers that a tag lists; none where there is no such tag, or it holds something else."""
    value = next((value for found, _, _, value in tags if found == code), ())
    listed = isinstance(value, tuple) and all(isinstance(one, int | float) for one in value)
    return value if listed else ()


def geo_keys(tags: Iterable[Tag]) -> dict[int, int]:
    """Return GeoTIFF's keys whose value stands beside them, by number."""
    values = [int(value) for value in numbers_of(tags, GEO_KEYS)]
    listed = [values[first : first + 4] for first in range(4, len(values) - 3, 4)]
    return {key: value for key, elsewhere, _, value in listed if elsewhere == 0}


def counts_centres(tags: Iterable[Tag]) -> bool:
    """Tell whether the keys say that raster coordinates are those of points, the centres of pixels."""
    return geo_keys(tags).get(_RASTER_TYPE) == _POINT
