"""Relighting: the equation against a slow form, the same light for any sensor, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.degradations import NonIIDGaussian
from datamodules.sampling.patches import PatchDataset, TrainingScenes, check_relightable
from datamodules.sampling.relighting import Relighting
from datamodules.scenes import MappedScene, generator_for

CAVE = tuple(400.0 + 10 * band for band in range(31))


def slow(clean: Tensor, wavelengths: Sequence[float], seed: int) -> Tensor:
    """The equation, number by number."""
    generator = generator_for(seed)
    torch.rand((), generator=generator, dtype=torch.float64)
    drawn = torch.randn(4, generator=generator, dtype=torch.float64).tolist()
    spectrum = []
    for wavelength in wavelengths:
        place = (wavelength - 400) / 300
        terms = (
            drawn[k - 1] * 0.5 / divisor * math.cos(math.pi * k * place)
            for k, divisor in zip((1, 2, 3, 4), (1, 1, 2, 3), strict=True)
        )
        spectrum.append(math.exp(sum(terms)))
    number = float(torch.randn((), generator=generator, dtype=torch.float64))
    lit = clean.double() * torch.tensor(spectrum, dtype=torch.float64)[:, None, None]
    factor = float(clean.double().mean() / lit.mean()) * math.exp(0.3 * number)
    return (lit * factor).clamp(0, 1).float()


@pytest.mark.parametrize("wavelengths", [CAVE, (410.0, 980.0, 655.0)])
def test_it_is_the_equation(wavelengths: tuple[float, ...]) -> None:
    clean = torch.rand(len(wavelengths), 6, 5, generator=torch.Generator().manual_seed(1))
    for seed in range(4):
        lit = Relighting(1.0)(clean, wavelengths, generator_for(seed))
        torch.testing.assert_close(lit, slow(clean, wavelengths, seed), rtol=0, atol=1e-6)
        assert float(lit.min()) >= 0 and float(lit.max()) <= 1


def test_a_light_does_not_depend_on_how_a_sensor_samples_it() -> None:
    fine = Relighting().spectrum([400.0 + band for band in range(301)], generator_for(3))
    coarse = Relighting().spectrum(CAVE, generator_for(3))
    torch.testing.assert_close(fine[::10], coarse)


def test_the_share_of_relit_patches_is_the_probability_and_black_stays_black() -> None:
    clean = torch.full((31, 2, 2), 0.2)
    relight = Relighting(0.75)
    changed = [not torch.equal(relight(clean, CAVE, generator_for(number)), clean) for number in range(400)]
    assert 0.69 < np.mean(changed) < 0.81
    assert torch.equal(Relighting(0.0)(clean, CAVE, generator_for(0)), clean)
    black = torch.zeros(31, 2, 2)
    assert torch.equal(Relighting(1.0)(black, CAVE, generator_for(0)), black)


@pytest.mark.parametrize("wrong", [{"probability": 1.1}, {"strength": -1.0}, {"gain": math.nan}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"Relighting got {next(iter(wrong))}="):
        Relighting(**wrong)


def test_patches_are_relit_before_they_are_degraded_and_come_again_from_a_pool(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.random.default_rng(0).random((31, 12, 12), dtype=np.float32) / 2)
    scenes = TrainingScenes()
    scenes.exchange([MappedScene("one", tmp_path / "one.npy", CAVE)])
    plain = PatchDataset(scenes, NonIIDGaussian(), 8, 10, 0)
    relit = PatchDataset(scenes, NonIIDGaussian(), 8, 10, 0, Relighting(1.0), pool=3)
    for number in range(3):
        before, after = plain[number], relit[number]
        expected = Relighting(1.0)(before["target"], CAVE, generator_for(0, "relighting", number))
        assert torch.equal(after["target"], expected)
        # The noise is that of the patch's number: it is added to the relit patch.
        noise = before["observation"] - before["target"]
        torch.testing.assert_close(after["observation"] - after["target"], noise, rtol=0, atol=1e-6)
        assert torch.equal(relit[number + 3]["observation"], after["observation"])
    with pytest.raises(ValueError, match="A pool of 0 patches is empty"):
        PatchDataset(scenes, NonIIDGaussian(), 8, 10, 0, pool=0)


def test_a_scene_with_a_measured_image_is_not_relit() -> None:
    check_relightable("one", ())
    with pytest.raises(ValueError, match="'one' cannot be relit: its multispectral and observation image was measured"):
        check_relightable("one", {"observation", "multispectral"})
