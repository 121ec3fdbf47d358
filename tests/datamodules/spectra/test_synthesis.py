"""From a picture to a cube: recolouring, light and exposure."""

import time
from dataclasses import replace

import numpy as np
import pytest

from datamodules.spectra.bands import Array
from datamodules.spectra.illuminants import illuminant
from datamodules.spectra.materials import soft_materials
from datamodules.spectra.metamers import material_spectra
from datamodules.spectra.observer import colour_matrix
from datamodules.spectra.photographs import photograph
from datamodules.spectra.reconstruction import primary_spectra, reflectance
from datamodules.spectra.synthesis import Recipe, recolour, reflectance_cube, spectral_cube


@pytest.fixture(scope="module")
def picture() -> Array:
    return photograph("coffee", 0.5)


def test_metamers_leave_the_colour_of_a_whole_picture_unchanged(picture: Array) -> None:
    generator = np.random.default_rng(1)
    weights = soft_materials(picture, 10, generator)
    colours = np.einsum("khw,ihw->ik", weights, picture) / weights.sum(axis=(1, 2))
    spectra = material_spectra(colours, primary_spectra(), 0.6, (28.0, 120.0), generator)
    cube = reflectance_cube(picture, weights, spectra)
    assert np.abs(np.tensordot(colour_matrix(), cube, axes=1) - picture).max() < 1e-6
    assert np.abs(cube - reflectance(picture)).mean() > 0.01


def test_without_metamers_the_cube_is_the_lit_and_exposed_reflectance(picture: Array) -> None:
    recipe = Recipe(light=(("d65", 1.0),), metamers=0.0, exposure=0.5)
    cube = spectral_cube(picture, recipe, np.random.default_rng(2)).astype(np.float64)
    unlit = cube / illuminant("d65")[:, None, None]
    rgb = np.tensordot(colour_matrix(), unlit, axes=1)
    scale = (rgb * picture).sum() / (picture**2).sum()
    assert np.abs(rgb / scale - picture)[:, cube.max(axis=0) < 1].max() < 1e-5
    assert np.quantile(cube.max(axis=0), 0.995) == pytest.approx(0.5, rel=1e-3)


def test_recolouring_keeps_greys_grey_and_stays_in_range(picture: Array) -> None:
    grey = np.broadcast_to(np.linspace(0.05, 0.9, 64).reshape(1, 8, 8), (3, 8, 8)).copy()
    weights = np.full((2, 8, 8), 0.5)
    turned = recolour(grey, weights, Recipe(hue_spread=2.0, saturation=1.7), np.random.default_rng(3))
    np.testing.assert_allclose(turned, grey, atol=1e-12)
    weights = soft_materials(picture, 6, np.random.default_rng(4))
    recipe = Recipe(hue_spread=3.0, saturation=2.0, albedo_spread=0.8, contrast=0.7)
    vivid = recolour(picture, weights, recipe, np.random.default_rng(5))
    assert vivid.min() >= 0
    assert vivid.max() <= 1
    assert np.abs(vivid - picture).mean() > 0.02


def test_a_256_cube_takes_less_than_a_second() -> None:
    rgb = photograph("tissue", 0.5)
    recipe = replace(Recipe(), materials=20, band_blur=0.5, band_gain=0.03)
    spectral_cube(rgb, recipe, np.random.default_rng(6))
    start = time.process_time()
    cube = spectral_cube(rgb, recipe, np.random.default_rng(6))
    assert time.process_time() - start < 1.0
    assert cube.shape == (31, 256, 256)
