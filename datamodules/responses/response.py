"""What a multispectral camera sees of a spectrum: curves over wavelength, and their matrix for given band centres."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperalign.errors import InputError

Curve = NDArray[np.float64]
COVERAGE = 0.95
"""Share of a channel's area that the bands must cover for no warning to be given."""

NOISE_FLOOR = -1e-2
"""Measured curves dip slightly below 0; values down to this share of the peak are taken as 0."""

RGB_NAMES = (("red", "r"), ("green", "g"), ("blue", "b"))


@dataclass(frozen=True)
class SpectralResponse:
    """Relative response curves of a sensor's channels.

    Attributes:
        name: what the sensor is called.
        channels: names of its c channels.
        wavelengths: the n wavelengths of the table in nm, rising.
        values: `c x n`, relative units, linear between the wavelengths and 0 outside.

    Raises:
        ValueError: the table is empty, does not rise in wavelength, is not in nm, is not finite, or has a channel that
            is negative or 0 throughout.
    """

    name: str
    channels: tuple[str, ...]
    wavelengths: tuple[float, ...]
    values: Tensor

    def __post_init__(self) -> None:
        """Check the table."""
        nm = self.wavelengths
        if self.values.shape != (len(self.channels), len(nm)) or len(nm) < 2 or not self.channels:
            raise InputError(
                f"The response {self.name} has {len(self.channels)} channels, {len(nm)} wavelengths and values of "
                f"shape {list(self.values.shape)}; give one column per channel and at least two wavelengths."
            )
        if any(second <= first for first, second in itertools.pairwise(nm)) or nm[-1] < 100:
            raise InputError(
                f"The wavelengths of the response {self.name} run from {nm[0]:g} to {nm[-1]:g} and must rise, in nm."
            )
        for channel, curve in zip(self.channels, self.values, strict=True):
            if not bool(curve.isfinite().all()) or float(curve.max()) <= 0:
                raise InputError(f"The channel {channel} of the response {self.name} is not finite or nowhere above 0.")
            if float(curve.min()) < NOISE_FLOOR * float(curve.max()):
                raise InputError(
                    f"The channel {channel} of the response {self.name} falls to {float(curve.min()):g}; "
                    "a response cannot be negative."
                )

    def select(self, channels: Sequence[str]) -> SpectralResponse:
        """Return the named channels, in this order.

        Raises:
            ValueError: a name is unknown.
        """
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown or not channels:
            raise InputError(
                f"The response {self.name} has no channel {', '.join(unknown) or 'selected'}; "
                f"choose among {', '.join(self.channels)}."
            )
        rows = [self.channels.index(channel) for channel in channels]
        return SpectralResponse(self.name, tuple(channels), self.wavelengths, self.values[rows])

    def matrix(self, wavelengths: Sequence[float]) -> Tensor:
        """Return the weights of every band in every channel.

        Args:
            wavelengths: centres of the C bands in nm, rising.

        Returns:
            `c x C` float32: the curves at the band centres times the bands' spacing, so that unequal bands count by
            their width; not negative, every row sums to 1.

        Raises:
            ValueError: a channel sees none of the bands.
        """
        centres = np.asarray(wavelengths, dtype=np.float64)
        widths = np.gradient(centres) if len(centres) > 1 else np.ones(1)
        rows = []
        for channel, curve in zip(self.channels, self.values.clamp(min=0).double().numpy(), strict=True):
            sampled = np.interp(centres, self.wavelengths, curve, left=0.0, right=0.0) * widths
            if sampled.sum() <= 0:
                raise InputError(
                    f"The channel {channel} of the response {self.name} sees none of the bands between "
                    f"{centres.min():g} and {centres.max():g} nm; select other channels."
                )
            self._warn_if_cut(channel, curve, centres, widths)
            rows.append(torch.from_numpy(sampled / sampled.sum()))
        return torch.stack(rows).float()

    def _warn_if_cut(self, channel: str, curve: Curve, centres: Curve, widths: Curve) -> None:
        nm = np.arange(self.wavelengths[0], self.wavelengths[-1] + 1.0)
        area = np.interp(nm, self.wavelengths, curve)
        inside = (nm >= centres.min() - widths[0] / 2) & (nm <= centres.max() + widths[-1] / 2)
        share = float(area[inside].sum() / area.sum())
        if share < COVERAGE:
            warnings.warn(
                f"Only {share:.0%} of the channel {channel} of the response {self.name} lies inside the bands "
                f"({centres.min():g} to {centres.max():g} nm); the rest is left out, the row still sums to 1.",
                stacklevel=3,
            )

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Numbers of the red, green and blue channels.

        Raises:
            ValueError: one of them is missing.
        """
        found = []
        for names in RGB_NAMES:
            index = next((number for number, channel in enumerate(self.channels) if channel.lower() in names), None)
            if index is None:
                raise InputError(
                    f"The response {self.name} has no channel {names[0]} (it has {', '.join(self.channels)}); "
                    "name its columns, or select channels that hold red, green and blue."
                )
            found.append(index)
        return found[0], found[1], found[2]


def gaussian_response(
    name: str, channels: Sequence[str], centres: Sequence[float], widths: Sequence[float]
) -> SpectralResponse:
    """Build a response of Gaussian curves where only centres and widths of a sensor are known.

    Args:
        name: what the sensor is called.
        channels: names of its channels.
        centres: their centres in nm.
        widths: their full widths at half maximum in nm.

    Raises:
        ValueError: the lists differ in length or a width is not above 0.
    """
    if not len(channels) == len(centres) == len(widths) or any(width <= 0 for width in widths):
        raise InputError(
            f"The response {name} got {len(channels)} channels, {len(centres)} centres and widths {list(widths)}; "
            "give one centre and one width above 0 per channel."
        )
    sigmas = [width / (2.0 * (2.0 * np.log(2.0)) ** 0.5) for width in widths]
    start = min(centre - 4 * sigma for centre, sigma in zip(centres, sigmas, strict=True))
    stop = max(centre + 4 * sigma for centre, sigma in zip(centres, sigmas, strict=True))
    nm = torch.arange(np.floor(start), np.ceil(stop) + 1, dtype=torch.float64)
    curves = [torch.exp(-0.5 * ((nm - centre) / sigma) ** 2) for centre, sigma in zip(centres, sigmas, strict=True)]
    return SpectralResponse(name, tuple(channels), tuple(nm.tolist()), torch.stack(curves))
