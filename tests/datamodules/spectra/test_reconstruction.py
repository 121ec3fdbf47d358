"""Smooth spectra return their colours."""

import numpy as np

from datamodules.spectra.observer import colour_matrix
from datamodules.spectra.reconstruction import primary_spectra, reflectance


def test_primaries_are_spectra_that_sum_to_one() -> None:
    spectra = primary_spectra()
    assert spectra.min() >= 0
    np.testing.assert_allclose(spectra.sum(axis=1), np.ones(31), atol=1e-6)


def test_every_colour_comes_back_within_a_millionth() -> None:
    rgb = np.random.default_rng(0).uniform(size=(3, 20, 30))
    cube = reflectance(rgb)
    assert cube.shape == (31, 20, 30)
    assert cube.min() >= 0
    assert cube.max() <= 1 + 1e-6
    np.testing.assert_allclose(np.tensordot(colour_matrix(), cube, axes=1), rgb, atol=1e-6)


def test_a_grey_has_a_flat_spectrum_and_a_colour_a_smooth_one() -> None:
    np.testing.assert_allclose(reflectance(np.full(3, 0.4)), np.full(31, 0.4), atol=1e-6)
    orange = reflectance(np.array([0.8, 0.3, 0.05]))
    assert np.abs(np.diff(orange, n=2)).max() < 0.1
