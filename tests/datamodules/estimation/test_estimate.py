"""Estimates against the truth, on synthetic scenes and, where they are, on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import CAVE, ComplexMixture, NonIIDGaussian
from datamodules.degradations.noise import Deadlines, GaussianNoise, Impulses, Mixture, Stripes
from datamodules.estimation import NoiseEstimate, estimate_noise
from hyperalign.errors import InputError
from tests.datamodules.estimation.scenes import clean_scene


def truths(mixture: Mixture, bands: int) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return the shares of every band that was drawn."""
    found: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {
        name: np.zeros(bands) for name in ("stripe_share", "dead_share", "impulse_share")
    }
    for part in mixture.parts:
        if isinstance(part, Stripes):
            found["stripe_share"][part.bands] = (part.offsets != 0).double().mean(1)
        elif isinstance(part, Deadlines):
            found["dead_share"][part.bands] = part.dead.double().mean(1)
        elif isinstance(part, Impulses):
            found["impulse_share"][part.bands] = (part.salt | part.pepper).double().mean((1, 2))
    return found


def measured(estimate: NoiseEstimate, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([getattr(band, name) for band in estimate.scenes[0].bands], dtype=np.float64)


def test_shares_of_complex_noise_on_a_synthetic_scene() -> None:
    clean = clean_scene(12, 192)
    mixture = ComplexMixture().draw(tuple(clean.shape), torch.Generator().manual_seed(4))
    estimate = estimate_noise([mixture.apply(clean)], ["one"], [400.0 + 10 * band for band in range(12)])
    for name, true in truths(mixture, 12).items():
        assert measured(estimate, name).mean() == pytest.approx(true.mean(), rel=0.2), name


def test_rows_are_told_from_columns() -> None:
    clean = clean_scene(12, 128)
    lying = ComplexMixture().draw(tuple(clean.shape), torch.Generator().manual_seed(4)).apply(clean).transpose(1, 2)
    estimate = estimate_noise([lying.contiguous()], ["one"], [float(band) for band in range(12)])
    assert estimate.scenes[0].direction == "rows"
    assert measured(estimate, "dead_share").max() > 0.05


@pytest.mark.parametrize("scene", ["balloons", "cloth"])
@pytest.mark.parametrize("sigma", [10.0, 70.0])
def test_sigma_of_every_band_of_a_real_scene(shared: Path, tmp_path: Path, scene: str, sigma: float) -> None:
    clean = CAVE(str(shared / "data" / "CAVE"), split="all", crop=160, cache=str(tmp_path)).scenes([scene])[0].load()
    drawn = NonIIDGaussian([sigma]).draw(tuple(clean.cube.shape), torch.Generator().manual_seed(0))
    estimate = estimate_noise([drawn.apply(clean.cube)], [scene], clean.wavelengths)
    relative = np.abs(measured(estimate, "sigma") * 255 / sigma - 1)
    assert np.median(relative) < 0.05
    assert relative.max() < 0.15
    assert estimate.family == "gaussian"


def test_complex_noise_of_a_real_scene(shared: Path, tmp_path: Path) -> None:
    data = CAVE(str(shared / "data" / "CAVE"), split="all", crop=192, cache=str(tmp_path))
    clean = data.scenes(["feathers"])[0].load()
    mixture = ComplexMixture().draw(tuple(clean.cube.shape), torch.Generator().manual_seed(1))
    estimate = estimate_noise([mixture.apply(clean.cube)], ["feathers"], clean.wavelengths)
    for name, true in truths(mixture, 31).items():
        assert measured(estimate, name).mean() == pytest.approx(true.mean(), rel=0.2), name
    gaussian = mixture.parts[0]
    assert isinstance(gaussian, GaussianNoise)
    relative = np.abs(measured(estimate, "sigma") / gaussian.sigmas.numpy() - 1)
    assert np.median(relative) < 0.05


def test_bad_observations_are_refused() -> None:
    with pytest.raises(InputError, match="no observation to estimate noise from"):
        estimate_noise([], [], [])
    with pytest.raises(InputError, match=r"'one' has shape .* where 3 bands"):
        estimate_noise([torch.zeros(2, 40, 40)], ["one"], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="'one' has 20 x 40 pixels, too few"):
        estimate_noise([torch.zeros(2, 20, 40)], ["one"], [1.0, 2.0])
