"""The task that the observations themselves describe: their noise, measured band by band and replayed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.degradations.base import Corruption, Degradation, check_shape
from datamodules.degradations.draws import random_stream
from datamodules.degradations.noise import (
    AlongRows,
    Deadlines,
    Impulses,
    Mixture,
    SignalDependentNoise,
    Stripes,
)
from datamodules.degradations.operators import Masking
from datamodules.estimation import BandNoise, NoiseEstimate, SceneNoise, estimate_noise, read_estimate
from datamodules.estimation.estimate import SMALLEST_SIDE
from hyperalign.errors import InputError
from hyperalign.files import settings_digest

_log = logging.getLogger(__name__)

_SENTENCES = {
    "clean": "The observations hold no noise that could be measured: if they are low-resolution, blurred or masked, "
    "name that task; a denoiser has nothing to gain on them.",
    "deblurring": "The observations look blurred and free of noise: name data.init_args.degradation, for example with "
    "--config tasks/deblurring, as a blur is not estimated.",
    "inpainting": "The observations look masked at random: name data.init_args.degradation, for example with "
    "--config tasks/inpainting, as the replay of the estimate marks lost pixels as impulses.",
    "unlike": "The noise of the observations is unlike anything that can be replayed, as it is not white or follows no "
    "known structure: what is replayed is its level alone.",
}
"""What a user should know of an estimate that is neither Gaussian noise, nor complex, nor missing bands."""


class EstimatedNoise(Degradation):
    """Replays the noise that was measured on the observations, seeded; every part of it can be overridden.

    Each draw replays one of the observed scenes, all being equally likely: with the variances, the shares of stripes,
    dead lines and impulses and the missing bands of its own, band by band. On [0, 1] of the network's values, noise is
    `sqrt(variance + slope signal)` times standard normal numbers; then come impulses, stripes (offsets uniform on
    [-amplitude, amplitude]), dead lines and missing bands.

    Args:
        estimate: JSON file of an earlier estimate; None measures the observations when adaptation starts.
        sigmas: standard deviation where the signal is 0, on the 0 to 255 scale, one or one a band, in place of the
            measured ones; a measured growth with the signal stays unless `slope` is given too.
        slope: growth of the variance with the signal, in place of the measured ones.
        stripe_share: share of the columns of every band that is striped.
        stripe_amplitude: largest offset of a stripe; `stripe_share` needs it where no stripe was measured.
        dead_share: share of the columns of every band that is dead.
        impulse_share: share of the pixels of every band that is hit, half of them by 0 and half by 1 where no impulse
            was measured.
        missing: numbers of the missing bands, from 0.

    Raises:
        ValueError: for a share outside of [0, 1], a negative level, or a file that is no estimate.
    """

    def __init__(
        self,
        estimate: str | None = None,
        sigmas: list[float] | None = None,
        slope: float | None = None,
        stripe_share: float | None = None,
        stripe_amplitude: float | None = None,
        dead_share: float | None = None,
        impulse_share: float | None = None,
        missing: list[int] | None = None,
    ) -> None:
        shares = {"stripe_share": stripe_share, "dead_share": dead_share, "impulse_share": impulse_share}
        for name, share in shares.items():
            if share is not None and not 0.0 <= share <= 1.0:
                raise InputError(f"{name} is {share} but must be a share in [0, 1].")
        levels = [*(sigmas or ()), *(one for one in (slope, stripe_amplitude) if one is not None)]
        if sigmas == [] or not all(0.0 <= level < np.inf for level in levels):
            raise InputError("EstimatedNoise takes finite sigmas, slope and stripe_amplitude that are not negative.")
        self.sigmas = None if sigmas is None else [float(sigma) for sigma in sigmas]
        self.overrides: dict[str, float] = {
            name: float(value)
            for name, value in {**shares, "slope": slope, "stripe_amplitude": stripe_amplitude}.items()
            if value is not None
        }
        self.missing = missing
        self.estimate: NoiseEstimate | None = None if estimate is None else read_estimate(Path(estimate))

    @property
    def measured_side(self) -> int:
        """Fewer rows or columns say too little about their noise; any number will do where it is known."""
        return SMALLEST_SIDE if self.estimate is None else 1

    def measure(self, cubes: Sequence[Tensor], names: Sequence[str], wavelengths: Sequence[float]) -> None:
        """Measure observations, unless an estimate is there already, and say in one sentence what is odd about them.

        Args:
            cubes: observations `C x H x W`, or parts of them, as the network sees them.
            names: what they are called.
            wavelengths: the C band centres in nm.

        Raises:
            ValueError: see `datamodules.estimation.estimate_noise`; or if what overrides it does not fit these bands.
        """
        if self.estimate is None:
            self.estimate = estimate_noise(cubes, names, wavelengths)
            if sentence := _SENTENCES.get(self.estimate.family):
                _log.warning(sentence)
        # What does not fit is told before the work, and not by the first patch.
        self._check_bands(len(wavelengths), self.estimate)
        for scene in self.estimate.scenes:
            self._overridden(scene)

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Corruption:
        """Draw the replay of one observed scene for a cube of `shape` (C, H, W)."""
        size, stream = check_shape(shape), random_stream(generator)
        if self.estimate is None:
            raise InputError(
                "EstimatedNoise has measured nothing yet, so it cannot degrade a scene: use it in the role target with "
                "observations that were measured, or give data.init_args.degradation.init_args.estimate a noise.json."
            )
        self._check_bands(size[0], self.estimate)
        scene = self.estimate.scenes[int(stream.integers(0, len(self.estimate.scenes)))]
        return replayed(self._overridden(scene), scene.direction, size, stream)

    @staticmethod
    def _check_bands(bands: int, estimate: NoiseEstimate) -> None:
        if bands != len(estimate.wavelengths):
            raise InputError(
                f"The noise was estimated for {len(estimate.wavelengths)} bands and cannot be replayed on a cube "
                f"of {bands}: estimate it on observations of the same sensor."
            )

    def _overridden(self, scene: SceneNoise) -> list[BandNoise]:
        bands = [replace(_with_values(band), **self.overrides) for band in scene.bands]  # type: ignore[arg-type]
        if self.overrides.get("stripe_share"):
            bands = _with_amplitudes(bands, scene.name)
        if self.missing is not None:
            if not set(self.missing) <= set(range(len(bands))):
                raise InputError(f"The missing bands {self.missing} are not all among the {len(bands)} bands.")
            bands = [replace(band, missing=number in self.missing) for number, band in enumerate(bands)]
        if self.sigmas is None:
            return bands
        if len(self.sigmas) not in (1, len(bands)):
            raise InputError(
                f"EstimatedNoise got {len(self.sigmas)} sigmas for {len(bands)} bands: give 1 or {len(bands)}."
            )
        sigmas = self.sigmas * (len(bands) // len(self.sigmas))
        return [replace(band, variance=(sigma / 255.0) ** 2) for band, sigma in zip(bands, sigmas, strict=True)]

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name, digest of the estimate and whatever overrides it."""
        measured = "not yet" if self.estimate is None else settings_digest(self.estimate.settings())
        own: dict[str, int | float | str | list[float]] = {"class": type(self).__name__, "estimate": measured}
        if self.sigmas is not None:
            own["sigmas"] = self.sigmas
        if self.missing is not None:
            own["missing"] = [float(band) for band in self.missing]
        return {**own, **self.overrides}


def _with_amplitudes(bands: Sequence[BandNoise], name: str) -> list[BandNoise]:
    """Return bands that are all to be striped, those without a measured stripe as high as the others in the median."""
    known = [band.stripe_amplitude for band in bands if band.stripe_amplitude > 0]
    if not known:
        raise InputError(
            f"EstimatedNoise got a stripe_share, but no stripe was measured in {name!r}: give stripe_amplitude too."
        )
    usual = float(np.median(known))
    return [replace(band, stripe_amplitude=band.stripe_amplitude or usual) for band in bands]


def _with_values(band: BandNoise) -> BandNoise:
    """Return a band that has values for impulses, if it should be given some."""
    return band if band.impulse_share > 0 else replace(band, salt_share=0.5)


def replayed(
    bands: Sequence[BandNoise], direction: str, size: tuple[int, int, int], stream: np.random.Generator
) -> Mixture:
    """Draw the noise of a scene for a cube of `size` (C, H, W): Gaussian noise first, parts that do not occur left out.

    Args:
        bands: its measured noise, band by band.
        direction: `columns` or `rows`, along which stripes and dead lines run.
        size: C, H and W.
        stream: decides everything random.
    """
    parts: list[Corruption] = [
        SignalDependentNoise(
            torch.tensor([band.variance for band in bands]),
            torch.tensor([band.slope for band in bands]),
            torch.from_numpy(stream.standard_normal(size).astype(np.float32)),
        )
    ]
    if hit := [number for number, band in enumerate(bands) if band.impulse_share > 0]:
        parts.append(_impulses(bands, hit, size, stream))
    across = size[2] if direction == "columns" else size[1]
    lines: list[Corruption] = []
    if striped := [number for number, band in enumerate(bands) if band.stripe_share > 0]:
        offsets = np.stack([_offsets(bands[number], across, stream) for number in striped])
        lines.append(Stripes(torch.tensor(striped), torch.from_numpy(offsets)))
    if dead := [number for number, band in enumerate(bands) if band.dead_share > 0]:
        columns = np.stack([stream.random(across) < bands[number].dead_share for number in dead])
        lines.append(Deadlines(torch.tensor(dead), torch.from_numpy(columns)))
    parts += lines if direction == "columns" else [AlongRows(line) for line in lines]
    if any(band.missing for band in bands):
        parts.append(Masking(torch.tensor([not band.missing for band in bands])[:, None, None]))
    return Mixture(tuple(parts))


def _offsets(band: BandNoise, across: int, stream: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    chosen = stream.random(across) < band.stripe_share
    drawn = (stream.random(across) * 2.0 - 1.0) * band.stripe_amplitude
    offsets: np.ndarray[tuple[int], np.dtype[np.float32]] = (drawn * chosen).astype(np.float32)
    return offsets


def _impulses(
    bands: Sequence[BandNoise], hit: Sequence[int], size: tuple[int, int, int], stream: np.random.Generator
) -> Impulses:
    amounts = np.array([bands[number].impulse_share for number in hit])
    salted = amounts * np.array([bands[number].salt_share for number in hit])
    level = stream.random((len(hit), *size[1:]))
    salt = level < salted[:, None, None]
    pepper = (level < amounts[:, None, None]) & ~salt
    return Impulses(
        torch.tensor(list(hit)),
        torch.from_numpy(amounts),
        torch.from_numpy(salt),
        torch.from_numpy(pepper),
        torch.tensor([bands[number].high for number in hit]),
        torch.tensor([bands[number].low for number in hit]),
    )
