"""Which bands of its original a written cube has, and their centres in the unit of the original."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.names import names_good_bands, names_missing, names_widths
from datamodules.scenes.readers.cube_file import CubeFile


def picked_bands(original: CubeFile, bands: int, wavelengths: Sequence[float] | None) -> tuple[int, ...] | None:
    """Return the numbers of the original's bands that are written, in their order; None if other bands are.

    Args:
        original: the cube whose facts are taken over.
        bands: number of bands that are written.
        wavelengths: their centres in nm, None if nobody says.
    """
    own = original.wavelengths
    if wavelengths is None or own is None:
        return tuple(range(bands)) if bands == original.shape[0] else None
    places = {centre: band for band, centre in enumerate(own)}
    if not all(centre in places for centre in wavelengths):
        return None
    return tuple(places[centre] for centre in wavelengths)


def centres_in_own_unit(original: CubeFile, wavelengths: Sequence[float]) -> tuple[float, ...]:
    """Return centres in nm in the unit that the original states its own in: its own numbers for bands of its own."""
    return tuple(wavelengths) if original.stated is None else original.stated.in_unit(wavelengths)


def arrays_beside(
    original: CubeFile,
    wavelengths: Sequence[float] | None,
    own_name: str | None,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Return what a file of several arrays holds beside the cube and is still true of the written bands.

    That are the centres, under the original's name and in its unit, and its word for that; the widths and the list of
    bad bands, of the bands that are written; the mark of missing values.

    Args:
        original: the cube whose facts are taken over.
        wavelengths: centres of the written bands in nm; None if nobody says.
        own_name: name of the original's array of centres, None if it has none.
        shapes: all arrays of the original's file.
        read: reads one of them.
    """
    bands = original.shape[0]
    picked = picked_bands(original, bands if wavelengths is None else len(wavelengths), wavelengths)
    found: dict[str, NDArray[Any]] = {}
    if wavelengths is not None:
        found[own_name or "wavelengths"] = np.array(centres_in_own_unit(original, wavelengths))
        if original.unit_beside is not None:
            found[original.unit_beside[0]] = np.array(original.unit_beside[1])
    for name, shape in shapes.items():
        field, count = name.rpartition(".")[2], int(np.prod(shape))
        if names_missing(field) and count == 1:
            found[name] = read(name)
        elif (names_widths(field) or names_good_bands(field)) and count == bands and picked is not None:
            found[name] = read(name).ravel()[list(picked)]
    return found
