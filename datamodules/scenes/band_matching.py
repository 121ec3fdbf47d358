"""The bands of a cube brought to the bands that a network was trained on: by wavelength, never by number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hyperalign.errors import InputError

BandRule = Literal["refuse", "select", "interpolate"]
"""What to do with a cube of other bands: refuse it, take the nearest bands, or interpolate between neighbours."""

SlidingRule = Literal["refuse", "select", "interpolate", "windows"]
"""As `BandRule`, or: leave the cube as it is, and have the network slide along its spectrum."""

TOLERANCE = 1.0
"""Centres that differ by at most this many nm are the same band."""


@dataclass(frozen=True)
class BandMatch:
    """How the bands of a cube become those of a network, and which restored bands are written.

    Attributes:
        weights: `C_network x C_cube`, float32; every row sums to 1.
        kept: the network's bands that are written, in the order in which they are written.
        wavelengths: centres of the written bands in nm.
        held: centres in nm of the network's bands that lie outside of the cube's range and are given its outermost
            band; they are not written.
    """

    weights: NDArray[np.float32]
    kept: tuple[int, ...]
    wavelengths: tuple[float, ...]
    held: tuple[float, ...] = ()

    @property
    def used(self) -> NDArray[np.intp]:
        """Numbers of the cube's bands that reach the network."""
        return np.flatnonzero(self.weights.any(axis=0))

    def apply(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's bands, `C_network x h x w`, of the cube's bands `C_cube x h x w`."""
        if (np.count_nonzero(self.weights, axis=1) == 1).all():
            picked: NDArray[np.float32] = cube[self.weights.argmax(axis=1)]
            return picked
        matched: NDArray[np.float32] = np.tensordot(self.weights, cube, axes=1)
        return matched

    def without(self, bad: Sequence[int], centres: Sequence[float]) -> "BandMatch":
        """Return a match that draws on the neighbours, by wavelength, of bands that are not to be drawn on.

        Args:
            bad: numbers of the cube's bands to avoid; not all of those that are used.
            centres: centres of the cube's bands in nm.
        """
        good = np.setdiff1d(self.used, np.asarray(bad, dtype=np.intp))
        concerned = np.flatnonzero(self.weights[:, list(bad)].any(axis=1)) if len(bad) else np.array([], np.intp)
        if not len(concerned) or not len(good):
            return self
        own = np.asarray(centres, dtype=np.float64)
        good = good[np.argsort(own[good], kind="stable")]
        weights = self.weights.copy()
        for row in concerned:
            share = np.interp(float(self.weights[row] @ own), own[good], np.arange(len(good)))
            left = int(share)
            weights[row] = 0.0
            weights[row, good[left]] = 1.0 - (share - left)
            if share > left:
                weights[row, good[left + 1]] = share - left
        return replace(self, weights=weights)

    def narrowed(self, bands: NDArray[np.intp]) -> "BandMatch":
        """Return the match as seen from some of the cube's bands, so that the others are not carried along."""
        return replace(self, weights=self.weights[:, bands])

    def origins(self) -> tuple[int | None, ...]:
        """Return, for each written band, the cube's band that it is; None where it is mixed of several."""
        rows = self.weights[list(self.kept)]
        return tuple(int(row.argmax()) if np.count_nonzero(row) == 1 else None for row in rows)

    def missing(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return where the network's bands, `C_network x h x w`, draw on masked values of the cube's bands."""
        drawn = self.weights != 0
        return np.stack([mask[row].any(axis=0) for row in drawn])


SETTING = "data.init_args.bands"
"""Where a command is told the rule."""


def match_bands(
    centres: Sequence[float], trained: Sequence[float], rule: BandRule, what: str, setting: str = SETTING
) -> BandMatch:
    """Match a cube's bands to a network's.

    Where every band has its counterpart within 1 nm, and none is left over, the rule does not matter: the bands are put
    into the network's order, and the restored ones back into the cube's.

    Args:
        centres: centres of the cube's bands in nm, in any order.
        trained: centres of the bands that the network was trained on in nm, in the network's order.
        rule: `refuse`: other bands are an error. `select`: each of the network's bands is given the nearest band of the
            cube; one that lies half the distance to the next of the network's bands away, or farther, is an error.
            `interpolate`: each is interpolated linearly between its neighbours; those outside of the cube's range are
            given its outermost band and are not written; if that is more than half of them, it is an error.
        what: the cube, for the sentence.
        setting: where the rule is given, for the sentence.

    Raises:
        ValueError: one sentence with the ways out.
    """
    own, wanted = np.asarray(centres, dtype=np.float64), np.asarray(trained, dtype=np.float64)
    nearest = np.abs(wanted[:, None] - own).argmin(axis=1)
    distance = np.abs(wanted - own[nearest])
    if len(own) == len(wanted) and (distance <= TOLERANCE).all() and len(set(nearest)) == len(own):
        return BandMatch(_picks(nearest, len(own)), tuple(np.argsort(nearest).tolist()), tuple(own.tolist()))
    if rule == "refuse":
        raise InputError(
            f"{what} has {_bands(own)}, but the network was trained on {_bands(wanted)}: set {setting} to "
            "select (each of the network's bands is given the nearest one) or to interpolate (linearly, between "
            "neighbours)."
        )
    if rule == "select":
        return _selected(own, wanted, nearest, distance, what, setting)
    return _interpolated(own, wanted, what)


def _selected(
    own: NDArray[np.float64],
    wanted: NDArray[np.float64],
    nearest: NDArray[np.intp],
    distance: NDArray[np.float64],
    what: str,
    setting: str,
) -> BandMatch:
    apart = np.abs(wanted[:, None] - wanted) + np.where(np.eye(len(wanted), dtype=bool), np.inf, 0.0)
    # So no band can be taken twice, and a network with one band takes whatever is nearest.
    far = np.flatnonzero((distance >= apart.min(axis=1) / 2) & (distance > TOLERANCE))
    if len(far):
        first = far[0]
        raise InputError(
            f"{what} has no band near {len(far)} of the network's {len(wanted)} bands, the first {wanted[first]:g} nm "
            f"(the nearest is {own[nearest[first]]:g} nm): set {setting} to interpolate, or use a "
            "checkpoint trained on such bands."
        )
    return BandMatch(_picks(nearest, len(own)), tuple(range(len(wanted))), tuple(own[nearest].tolist()))


def _interpolated(own: NDArray[np.float64], wanted: NDArray[np.float64], what: str) -> BandMatch:
    order = np.argsort(own, kind="stable")
    ascending = own[order]
    outside = (wanted < ascending[0] - TOLERANCE) | (wanted > ascending[-1] + TOLERANCE)
    if 2 * np.count_nonzero(outside) > len(wanted):
        raise InputError(
            f"{what} has {_bands(own)} and covers {len(wanted) - np.count_nonzero(outside)} of the {_bands(wanted)} "
            "that the network was trained on: use a checkpoint trained on such bands."
        )
    weights = np.zeros((len(wanted), len(own)), dtype=np.float32)
    for band, centre in enumerate(np.clip(wanted, ascending[0], ascending[-1])):
        right = int(np.searchsorted(ascending, centre))
        left = max(right - 1, 0)
        span = ascending[right] - ascending[left]
        share = (centre - ascending[left]) / span if span > 0 else 1.0
        weights[band, order[left]] += 1.0 - share
        weights[band, order[right]] += share
    kept = np.flatnonzero(~outside)
    return BandMatch(weights, tuple(kept.tolist()), tuple(wanted[kept].tolist()), tuple(wanted[outside].tolist()))


def _picks(chosen: NDArray[np.intp], bands: int) -> NDArray[np.float32]:
    """Return the weights that take one band each."""
    return np.eye(bands, dtype=np.float32)[chosen]


def _bands(centres: NDArray[np.float64]) -> str:
    return f"{len(centres)} bands from {centres.min():g} to {centres.max():g} nm"


def band_centres(given: Sequence[float] | str, setting: str) -> tuple[float, ...]:
    """Return centres in nm, given one by one or as `FIRST:LAST:COUNT`, equally spaced.

    Args:
        given: numbers, or text such as `430:860:102`.
        setting: the name of the setting, for the sentence.

    Raises:
        ValueError: for any other text, or a count below 2.
    """
    if not isinstance(given, str):
        return tuple(float(centre) for centre in given)
    try:
        first, last, count = given.split(":")
        return tuple(np.linspace(float(first), float(last), max(int(count), 2)).round(6).tolist())
    except ValueError as error:
        raise InputError(
            f"The setting {setting} is {given!r}, which is neither a list of centres nor FIRST:LAST:COUNT: write for "
            "example 430:860:102, in nm."
        ) from error
