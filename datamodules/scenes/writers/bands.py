"""Which bands of its source a written cube has, and their centres in the unit of the source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.names import names_good_bands, names_missing, names_widths
from datamodules.scenes.readers.cube_file import CubeFile


def picked_bands(source: CubeFile, bands: int, wavelengths: Sequence[float] | None) -> tuple[int, ...] | None:
    """Return the numbers of the source's bands that are written, in their order; None if other bands are.

    Args:
        source: the cube whose facts are taken over.
        bands: number of bands that are written.
        wavelengths: their centres in nm, None if nobody says.
    """
    own = source.wavelengths
    if wavelengths is None or own is None:
        return tuple(range(bands)) if bands == source.shape[0] else None
    places = {centre: band for band, centre in enumerate(own)}
    if not all(centre in places for centre in wavelengths):
        return None
    return tuple(places[centre] for centre in wavelengths)


def centres_in_own_unit(source: CubeFile, wavelengths: Sequence[float]) -> tuple[float, ...]:
    """Return centres in nm in the unit in which the source states its own: its own numbers where they are its bands."""
    return tuple(wavelengths) if source.stated is None else source.stated.in_unit(wavelengths)


def arrays_beside(
    source: CubeFile,
    wavelengths: Sequence[float] | None,
    own_name: str | None,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Return what a file of several arrays holds beside the cube and is still true of the written bands.

    That are the centres, under the source's name and in its unit, and its word for that; the widths and the list of bad
    bands, of the bands that are written; the mark of missing values.

    Args:
        source: the cube whose facts are taken over.
        wavelengths: centres of the written bands in nm; None if nobody says.
        own_name: name of the source's array of centres, None if it has none.
        shapes: all arrays of the source's file.
        read: reads one of them.
    """
    bands = source.shape[0]
    picked = picked_bands(source, bands if wavelengths is None else len(wavelengths), wavelengths)
    found: dict[str, NDArray[Any]] = {}
    if wavelengths is not None:
        found[own_name or "wavelengths"] = np.array(centres_in_own_unit(source, wavelengths))
        if source.unit_beside is not None:
            found[source.unit_beside[0]] = np.array(source.unit_beside[1])
    for name, shape in shapes.items():
        field, count = name.rpartition(".")[2], int(np.prod(shape))
        if names_missing(field) and count == 1:
            found[name] = read(name)
        elif (names_widths(field) or names_good_bands(field)) and count == bands and picked is not None:
            found[name] = read(name).ravel()[list(picked)]
    return found
