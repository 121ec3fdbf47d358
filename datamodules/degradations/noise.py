"""Noise with all its random parameters fixed: what is added to, taken from or written over a cube.

Each class is a plain record of drawn parameters with one method, `apply`; nothing here is random. The draws are in
`draws.py`, the rules that combine them in `gaussian.py` and `complex_mixture.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.degradations.base import Corruption


@dataclass(frozen=True)
class GaussianNoise:
    """Additive zero-mean Gaussian noise.

    Attributes:
        sigmas: standard deviation of each band, `C` float64 values on the [0, 1] scale.
        field: the noise itself, `C x H x W` float32.
    """

    sigmas: Tensor
    field: Tensor

    def apply(self, cube: Tensor) -> Tensor:
        """Return `cube + field`."""
        return cube + self.field.to(cube)


@dataclass(frozen=True)
class Stripes:
    """A constant offset on some columns of some bands.

    Attributes:
        bands: the `n` striped bands.
        offsets: what is subtracted from every pixel of a column, `n x W` float32; 0 where a column is not striped.
    """

    bands: Tensor
    offsets: Tensor

    def apply(self, cube: Tensor) -> Tensor:
        """Return the cube with the offsets subtracted."""
        striped = cube.clone()
        striped[self.bands] = cube[self.bands] - self.offsets.to(cube)[:, None, :]
        return striped


@dataclass(frozen=True)
class Deadlines:
    """Columns of some bands that a dead detector reads as zero.

    Attributes:
        bands: the `n` bands with dead columns.
        dead: True at the dead columns, `n x W`.
    """

    bands: Tensor
    dead: Tensor

    def apply(self, cube: Tensor) -> Tensor:
        """Return the cube with the dead columns set to 0."""
        dimmed = cube.clone()
        dimmed[self.bands] = cube[self.bands].masked_fill(self.dead.to(cube.device)[:, None, :], 0.0)
        return dimmed


@dataclass(frozen=True)
class Impulses:
    """Salt-and-pepper noise on some bands.

    Attributes:
        bands: the `n` bands that are hit.
        amounts: the probability with which a pixel of each band is hit, `n` values.
        salt: True where a pixel becomes 1, `n x H x W`.
        pepper: True where a pixel becomes 0, `n x H x W`; never together with salt.
        high: what salt is instead of 1, `n` values; None for 1.
        low: what pepper is instead of 0, `n` values; None for 0.
    """

    bands: Tensor
    amounts: Tensor
    salt: Tensor
    pepper: Tensor
    high: Tensor | None = None
    low: Tensor | None = None

    def apply(self, cube: Tensor) -> Tensor:
        """Return the cube with the hit pixels replaced by 1 or 0, or by the values of their bands."""
        hit = cube.clone()
        salt, pepper = self.salt.to(cube.device), self.pepper.to(cube.device)
        if self.high is None or self.low is None:
            hit[self.bands] = cube[self.bands].masked_fill(salt, 1.0).masked_fill(pepper, 0.0)
            return hit
        high, low = self.high.to(cube)[:, None, None], self.low.to(cube)[:, None, None]
        hit[self.bands] = torch.where(pepper, low, torch.where(salt, high, cube[self.bands]))
        return hit


@dataclass(frozen=True)
class Mixture:
    """Several corruptions, one after the other.

    Attributes:
        parts: the corruptions in the order in which they act.
    """

    parts: Sequence[Corruption]

    def apply(self, cube: Tensor) -> Tensor:
        """Return the cube after every part has acted."""
        for part in self.parts:
            cube = part.apply(cube)
        return cube


@dataclass(frozen=True)
class SignalDependentNoise:
    """Additive Gaussian noise whose variance grows linearly with the signal.

    Attributes:
        constants: variance of each band where the signal is 0, `C` values on the [0, 1] scale.
        slopes: what a signal of 1 adds to it, `C` values.
        field: standard normal numbers, `C x H x W` float32.
    """

    constants: Tensor
    slopes: Tensor
    field: Tensor

    def apply(self, cube: Tensor) -> Tensor:
        """Return `cube + sqrt(constant + slope cube) field`; a variance below 0 counts as 0."""
        constants, slopes = self.constants.to(cube)[:, None, None], self.slopes.to(cube)[:, None, None]
        return cube + (constants + slopes * cube).clamp(min=0.0).sqrt() * self.field.to(cube)


@dataclass(frozen=True)
class AlongRows:
    """A corruption of columns that acts on rows instead.

    Attributes:
        columns: the corruption, drawn for the transposed cube.
    """

    columns: Corruption

    def apply(self, cube: Tensor) -> Tensor:
        """Return the cube, transposed for the corruption and back."""
        return self.columns.apply(cube.transpose(1, 2)).transpose(1, 2).contiguous()
