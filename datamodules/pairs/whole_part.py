"""The largest part of a pair in which neither image lacks a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers import CubeFile
from hyperalign.errors import InputError

__all__ = ["largest_rectangle", "whole_part"]

Place = tuple[int, int, int, int]
"""First row and column, height and width, in hyperspectral pixels."""


def whole_part(stem: str, hyperspectral: CubeFile, multispectral: CubeFile, ratio: int, place: Place) -> Place:
    """Return the largest rectangle of a place in which no value of either image is missing.

    Args:
        stem: name of the pair, for the sentence.
        hyperspectral: the image of many bands.
        multispectral: the image of fine pixels.
        ratio: multispectral pixels along a hyperspectral one.
        place: where it is looked for; returned as it is where nothing is missing.

    Raises:
        InputError: if there is no such part.
    """
    row, column, height, width = place
    holes = np.zeros((height, width), dtype=np.bool_)
    for file, finer in ((hyperspectral, 1), (multispectral, ratio)):
        if file.may_lack_values:
            top, left, rows, columns = (side * finer for side in place)
            missing = file.missing(top, left, file.window(top, left, rows, columns))
            if missing is not None:
                holes |= missing.any(axis=0).reshape(height, finer, width, finer).any(axis=(1, 3))
    if not holes.any():
        return place
    if holes.all():
        raise InputError(f"Every pixel of the pair {stem!r} lacks a value of one of its images: leave the pair out.")
    first, left, rows, columns = largest_rectangle(~holes)
    return row + first, column + left, rows, columns


def largest_rectangle(known: NDArray[np.bool_]) -> Place:
    """Return the rectangle of most pixels that are all known, the first of several.

    Args:
        known: `H x W`, somewhere true.
    """
    best, place = 0, (0, 0, 0, 0)
    heights = np.zeros(known.shape[1] + 1, dtype=np.int64)
    for row, line in enumerate(known):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        begun: list[tuple[int, int]] = []
        for column, height in enumerate(heights.tolist()):
            start = column
            while begun and begun[-1][1] >= height:
                start, tall = begun.pop()
                if tall * (column - start) > best:
                    best, place = tall * (column - start), (row + 1 - tall, start, tall, column - start)
            begun.append((start, height))
    return place
