"""The noise of observed scenes, measured band by band from the observations alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from datamodules.estimation.damage import Damage, damage_of
from datamodules.estimation.differences import Floats, Mask, block_mean, robust_sigma
from datamodules.estimation.gaussian import GaussianLevel
from datamodules.estimation.levels import BandNoise, NoiseEstimate, SceneNoise
from datamodules.estimation.lost_pixels import Spike, measured_spike
from datamodules.estimation.recognition import recognised, sharpness
from datamodules.estimation.stripes import StripeLevel
from hyperalign.errors import InputError

SMALLEST_SIDE = 32
"""Fewer pixels a side say too little about their noise."""


def estimate_noise(cubes: Sequence[Tensor], names: Sequence[str], wavelengths: Sequence[float]) -> NoiseEstimate:
    """Measure the noise of every scene.

    Args:
        cubes: observations `C x H x W`, finite, on the scale on which the network sees them.
        names: what the scenes are called, in the same order.
        wavelengths: the C band centres in nm.

    Raises:
        InputError: for no cube, cubes of other band counts, or a cube below 32 x 32 pixels.
    """
    if not len(cubes):
        raise InputError("There is no observation to estimate noise from: name at least one observed scene.")
    for cube, name in zip(cubes, names, strict=True):
        if cube.ndim != 3 or len(cube) != len(wavelengths):
            raise InputError(
                f"The observation {name!r} has shape {tuple(cube.shape)} where {len(wavelengths)} bands x height x "
                "width are expected: estimate the noise of cubes with the same bands."
            )
        if min(cube.shape[1:]) < SMALLEST_SIDE:
            raise InputError(
                f"The observation {name!r} has {cube.shape[1]} x {cube.shape[2]} pixels, too few to estimate its "
                f"noise: give cubes of at least {SMALLEST_SIDE} x {SMALLEST_SIDE}."
            )
    scenes = [scene_noise(cube.numpy(), name) for cube, name in zip(cubes, names, strict=True)]
    return NoiseEstimate(tuple(float(centre) for centre in wavelengths), tuple(scenes))


def scene_noise(cube: Floats, name: str) -> SceneNoise:
    """Measure the noise of one scene, with its stripes and dead lines along columns or rows, whichever has more.

    Args:
        cube: `C x H x W`, float32, finite.
        name: what the scene is called.
    """
    return noise_of(cube, damage_of(cube), name)


def noise_of(cube: Floats, damage: Damage, name: str) -> SceneNoise:
    """Measure the noise of one scene of which is known which pixels are damaged; see `scene_noise`."""
    along_columns = damage.along_columns
    stripes, lines = (damage.columns, damage.dead) if along_columns else (damage.rows, damage.dead_rows)
    bands = []
    for band, level in enumerate(damage.levels):
        chance = _by_chance(cube[band], damage.spikes[band], damage.valid[band], ~damage.dead[band], level.typical)
        bands.append(_band(level, stripes[band], lines[band], chance, bool(damage.missing[band])))
    found = SceneNoise(name, tuple(bands), "columns" if along_columns else "rows")
    coarse = _coarseness(cube, damage.valid, damage.missing, damage.levels)
    return replace(found, family=recognised(found, coarse, sharpness(cube, damage.valid)))


def _band(level: GaussianLevel, stripes: StripeLevel, lines: Mask, spikes: list[Spike], missing: bool) -> BandNoise:
    low = min(spikes, key=lambda spike: spike.value, default=None)
    high = max(spikes, key=lambda spike: spike.value, default=None)
    total = sum(spike.share for spike in spikes)
    return BandNoise(
        variance=level.constant,
        slope=level.slope,
        stripe_share=stripes.share,
        stripe_amplitude=stripes.amplitude,
        dead_share=float(lines.mean()),
        impulse_share=min(total, 1.0),
        salt_share=high.share / total if high is not None and len(spikes) > 1 and total > 0 else 0.0,
        low=low.value if low is not None else 0.0,
        high=high.value if high is not None else 1.0,
        missing=missing,
    )


def _by_chance(band: Floats, values: list[float], valid: Mask, columns: Mask, sigma: float) -> list[Spike]:
    """Return the two most frequent impulses of a band."""
    spikes = [measured_spike(band, value, valid, columns, sigma) for value in values]
    chance = [spike for spike in spikes if not spike.clustered and spike.share > 0.002]
    return sorted(chance, key=lambda spike: -spike.share)[:2]


def _coarseness(cube: Floats, valid: Mask, missing: Mask, levels: Sequence[GaussianLevel]) -> float:
    """Return the median over bands of sigma at half resolution, doubled, over sigma: 1 where the noise is white."""
    ratios: list[float] = []
    for band, usable, level, gone in zip(cube, valid, levels, missing, strict=True):
        if not gone and level.typical > 0 and usable.mean() > 0.9:
            half = block_mean(band)
            ratios.append(2 * robust_sigma(half, np.ones(half.shape, dtype=bool)) / level.typical)
    return float(np.median(ratios)) if ratios else 1.0
