"""The place on the ground of a cube that was written on a finer grid: the corners stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from datamodules.scenes.facts.geotiff import (
    PIXEL_SCALE,
    RATIONAL,
    TIE_POINTS,
    TRANSFORMATION,
    Tag,
    counts_centres,
)

Size = tuple[int, int, int]
"""Bands, height and width."""


def envi_place(entries: Mapping[str, str | list[str]], before: Size, after: Size) -> dict[str, str | list[str]]:
    """Return ENVI's entries for another number of pixels.

    Pixels count from 1, at the corner of the first one. `map info`, `pixel size`, `geo points`, `x start` and `y start`
    follow; what counts pixels in another way (`rpc info`) is left out, and so is what cannot be read.

    Args:
        entries: of the original's header.
        before: its size.
        after: size of the cube to be.
    """
    kept = dict(entries)
    if before[1:] == after[1:]:
        return kept
    columns, rows = after[2] / before[2], after[1] / before[1]
    kept.pop("rpc info", None)
    changes: dict[str, Callable[[Any], str | list[str]]] = {
        "map info": lambda value: _map_info(value, columns, rows),
        "pixel size": lambda value: [_text(float(value[0]) / columns), _text(float(value[1]) / rows), *value[2:]],
        "geo points": lambda value: _geo_points(value, columns, rows),
        "x start": lambda value: _text(1 + (float(value) - 1) * columns),
        "y start": lambda value: _text(1 + (float(value) - 1) * rows),
    }
    for name, change in changes.items():
        if name in kept:
            try:
                kept[name] = change(kept[name])
            except (ValueError, TypeError, IndexError):
                del kept[name]
    return kept


def _map_info(value: Any, columns: float, rows: float) -> list[str]:  # noqa: ANN401
    reference = [1 + (float(value[1]) - 1) * columns, 1 + (float(value[2]) - 1) * rows]
    sizes = [float(value[5]) / columns, float(value[6]) / rows]
    return [value[0], *map(repr, reference), *value[3:5], *map(repr, sizes), *value[7:]]


def _geo_points(value: Any, columns: float, rows: float) -> list[str]:  # noqa: ANN401
    points = list(value)
    for first in range(0, len(points) - 3, 4):
        points[first] = repr(1 + (float(points[first]) - 1) * columns)
        points[first + 1] = repr(1 + (float(points[first + 1]) - 1) * rows)
    return points


def _text(number: float) -> str:
    return f"{number:.12g}"


def tiff_place(tags: tuple[Tag, ...], before: Size, after: Size) -> list[Tag]:
    """Return GeoTIFF's tags for another number of pixels.

    Raster coordinates of tie points and of the transformation count from the corner of the first pixel, or, in files of
    points (GTRasterType 2), from its centre.

    Args:
        tags: of the original.
        before: its size.
        after: size of the cube to be.
    """
    if before[1:] == after[1:]:
        return list(tags)
    columns, rows = after[2] / before[2], after[1] / before[1]
    shift = 0.5 if counts_centres(tags) else 0.0
    placed: list[Tag] = []
    for code, kind, count, value in tags:
        if code == PIXEL_SCALE:
            value = (value[0] / columns, value[1] / rows, *value[2:])
        elif code == TIE_POINTS:
            points = list(value)
            for first in range(0, len(points) - 5, 6):
                points[first] = (points[first] + shift) * columns - shift
                points[first + 1] = (points[first + 1] + shift) * rows - shift
            value = tuple(points)
        elif code == TRANSFORMATION:
            value = _transformation(value, columns, rows, shift)
        elif code == RATIONAL:
            value = _rational(value, columns, rows)
        placed.append((code, kind, count, value))
    return placed


def world_file(text: str, before: Size, after: Size) -> str:
    """Return the text of a world file (`.tfw`) for another number of pixels; an empty text if it is none.

    Its six numbers are the steps along a row and a column and the centre of the first pixel.

    Args:
        text: of the original's.
        before: its size.
        after: size of the cube to be.
    """
    try:
        right, down_right, right_down, down, x, y = (float(word.replace(",", ".")) for word in text.split())
    except ValueError:
        return ""
    columns, rows = after[2] / before[2], after[1] / before[1]
    across, along = 0.5 / columns - 0.5, 0.5 / rows - 0.5
    x, y = x + across * right + along * right_down, y + across * down_right + along * down
    numbers = (right / columns, down_right / columns, right_down / rows, down / rows, x, y)
    return "".join(f"{number!r}\n" for number in numbers)


def _rational(value: Any, columns: float, rows: float) -> tuple[float, ...]:  # noqa: ANN401
    """Rational polynomial coefficients (RPC): lines and samples count from the centre of the first pixel."""
    numbers = list(value)
    if len(numbers) > 8:
        numbers[2], numbers[3] = (numbers[2] + 0.5) * rows - 0.5, (numbers[3] + 0.5) * columns - 0.5
        numbers[7], numbers[8] = numbers[7] * rows, numbers[8] * columns
    return tuple(numbers)


def _transformation(value: Any, columns: float, rows: float, shift: float) -> tuple[float, ...]:  # noqa: ANN401
    """The 4 x 4 matrix from raster to ground, row by row, of a finer grid."""
    matrix = list(value)
    for row in range(0, 12, 4):
        matrix[row + 3] += matrix[row] * (shift / columns - shift) + matrix[row + 1] * (shift / rows - shift)
        matrix[row] /= columns
        matrix[row + 1] /= rows
    return tuple(matrix)
