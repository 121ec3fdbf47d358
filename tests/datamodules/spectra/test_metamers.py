"""Metamers: spectra that differ and colours that do not."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.spectra.metamers import material_spectra, metameric_blacks
from datamodules.spectra.observer import colour_matrix
from datamodules.spectra.reconstruction import primary_spectra


@pytest.mark.parametrize("length_scale", [15.0, 30.0, 120.0])
def test_metameric_blacks_have_no_colour(length_scale: float) -> None:
    blacks = metameric_blacks(6, length_scale, np.random.default_rng(1))
    assert blacks.shape == (31, 6)
    assert np.abs(colour_matrix() @ blacks).max() < 1e-9
    assert np.sqrt((blacks**2).mean()) > 1e-4


def test_a_longer_length_scale_gives_smoother_blacks() -> None:
    def roughness(length_scale: float) -> float:
        blacks = metameric_blacks(64, length_scale, np.random.default_rng(2))
        return float(np.sqrt((np.diff(blacks, n=2, axis=0) ** 2).mean() / (blacks**2).mean()))

    assert roughness(20.0) > 1.5 * roughness(60.0)


def test_materials_keep_their_colour_and_stay_non_negative() -> None:
    colours = np.random.default_rng(3).uniform(0.02, 0.9, size=(3, 8))
    spectra = material_spectra(colours, primary_spectra(), 0.8, (25.0, 80.0), np.random.default_rng(4))
    assert spectra.shape == (8, 31, 3)
    for colour, own in zip(colours.T, spectra, strict=True):
        np.testing.assert_allclose(colour_matrix() @ own @ colour, colour, atol=1e-6)
        assert (own @ colour).min() > -1e-6
        assert np.abs(own @ colour - primary_spectra() @ colour).max() > 0.01 * colour.mean()


def test_no_strength_gives_the_smooth_primaries() -> None:
    spectra = material_spectra(np.full((3, 2), 0.5), primary_spectra(), 0.0, (25.0, 80.0), np.random.default_rng(5))
    np.testing.assert_array_equal(spectra, np.stack([primary_spectra()] * 2))
