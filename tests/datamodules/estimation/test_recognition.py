"""Every packaged task is recognised from one scene, and so is what is none of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from datamodules import BandMissing, BicubicDownsampling, ComplexMixture, GaussianBlurring, NonIIDGaussian, RandomMask
from datamodules.degradations import Degradation
from datamodules.estimation.estimate import scene_noise
from tests.datamodules.estimation.scenes import clean_scene


@pytest.mark.parametrize(
    ("task", "family"),
    [
        (NonIIDGaussian(), "gaussian"),
        (ComplexMixture(), "complex"),
        (ComplexMixture("independent_thirds"), "complex"),
        (BandMissing(), "band_missing"),
        (RandomMask(), "inpainting"),
        (RandomMask(convention="pixel"), "inpainting"),
        (GaussianBlurring(), "deblurring"),
        (BicubicDownsampling(4), "clean"),
    ],
    ids=repr,
)
def test_the_task_is_recognised(task: Degradation, family: str) -> None:
    observation = task(clean_scene(12, 128), torch.Generator().manual_seed(0))
    assert scene_noise(observation.numpy(), "one").family == family


def test_a_clean_scene_is_clean() -> None:
    assert scene_noise(clean_scene(12, 128).numpy(), "one").family == "clean"


def test_correlated_noise_is_unlike_anything() -> None:
    clean = clean_scene(12, 128).numpy()
    noise = gaussian_filter(np.random.default_rng(0).standard_normal(clean.shape), (0, 0.8, 0.8)).astype(np.float32)
    assert scene_noise(clean + np.float32(0.3) * noise, "one").family == "unlike"
