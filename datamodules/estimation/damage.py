"""Which pixels of an observation still hold the scene and Gaussian noise, and which were lost or offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datamodules.estimation.differences import Floats, Mask
from datamodules.estimation.gaussian import GaussianLevel, gaussian_levels
from datamodules.estimation.lost_pixels import dead_columns, missing_bands, spike_values, without_spikes
from datamodules.estimation.stripes import StripeLevel, stripe_levels


@dataclass(frozen=True)
class Damage:
    """What was found out about every pixel of a cube `C x H x W`.

    Attributes:
        missing: `C`, bands that hold nothing.
        dead: `C x W`, dead columns.
        dead_rows: `C x H`, dead rows.
        spikes: the repeated values of every band.
        valid: `C x H x W`, neither lost nor an impulse; stripes are valid.
        levels: the Gaussian noise of every band.
        columns: the stripes along columns.
        rows: the stripes along rows.
    """

    missing: Mask
    dead: Mask
    dead_rows: Mask
    spikes: list[list[float]]
    valid: Mask
    levels: list[GaussianLevel]
    columns: list[StripeLevel]
    rows: list[StripeLevel]

    @property
    def along_columns(self) -> bool:
        """Whether stripes and dead lines run along columns, as more of a scene is explained by those."""
        return _evidence(self.columns, self.dead) >= _evidence(self.rows, self.dead_rows)

    @property
    def striped(self) -> Mask:
        """`C x H x W`, pixels on stripes that were seen, in the direction of most."""
        levels = self.columns if self.along_columns else self.rows
        lines = np.stack([level.seen for level in levels])
        spread: Mask = lines[:, None, :] if self.along_columns else lines[:, :, None]
        return np.broadcast_to(spread, self.valid.shape)

    @property
    def undamaged(self) -> Mask:
        """`C x H x W`, pixels that hold the scene and Gaussian noise, and nothing else that was found."""
        sound: Mask = self.valid & ~self.striped
        return sound


def damage_of(cube: Floats) -> Damage:
    """Find what damaged a cube, along columns and along rows.

    Args:
        cube: `C x H x W`, float32, finite.
    """
    missing = missing_bands(cube)
    lying = np.ascontiguousarray(cube.transpose(0, 2, 1))
    dead, dead_rows = dead_columns(cube), dead_columns(lying)
    dead[missing], dead_rows[missing] = False, False
    lost = dead[:, None, :] | dead_rows[:, :, None]
    spikes = [[] if gone else spike_values(band[~away]) for gone, band, away in zip(missing, cube, lost, strict=True)]
    valid = np.stack([without_spikes(band, found) for band, found in zip(cube, spikes, strict=True)]) & ~lost
    valid &= ~missing[:, None, None]
    levels = gaussian_levels(cube, valid, missing)
    sigmas = [level.typical for level in levels]
    return Damage(
        missing,
        dead,
        dead_rows,
        spikes,
        valid,
        levels,
        stripe_levels(cube, valid, sigmas),
        stripe_levels(lying, valid.transpose(0, 2, 1), sigmas),
    )


def _evidence(stripes: list[StripeLevel], dead: Mask) -> float:
    """Return how much of a scene stripes and dead lines of one direction explain."""
    return float(dead.mean(axis=1).sum()) + sum(level.share * level.amplitude for level in stripes)
