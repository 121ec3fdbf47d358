"""Soft materials: weights of pixels that follow colour and place."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.spectra.bands import Array
from datamodules.spectra.materials import soft_materials
from datamodules.spectra.photographs import photograph


@pytest.fixture(scope="module")
def picture() -> Array:
    return photograph("coffee", 0.5)


def test_materials_are_weights_that_follow_colour(picture: Array) -> None:
    weights = soft_materials(picture, 8, np.random.default_rng(0))
    assert weights.shape == (8, *picture.shape[1:])
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, atol=1e-9)
    means = np.einsum("khw,ihw->ki", weights, picture) / weights.sum(axis=(1, 2))[:, None]
    approximation = np.einsum("khw,ki->ihw", weights, means)
    assert ((approximation - picture) ** 2).mean() < 0.15 * picture.var(axis=(1, 2)).mean()


def test_one_material_is_everywhere(picture: Array) -> None:
    np.testing.assert_allclose(soft_materials(picture, 1, np.random.default_rng(0)), 1.0, atol=1e-12)


def test_two_colours_apart_are_two_materials() -> None:
    picture = np.zeros((3, 6, 10))
    picture[0, :, :5], picture[2, :, 5:] = 0.8, 0.8
    weights = soft_materials(picture, 2, np.random.default_rng(0))
    red = int(weights[:, 0, 0].argmax())
    expected = np.zeros((6, 10))
    expected[:, :5] = 1
    np.testing.assert_allclose(weights[red], expected, atol=1e-6)


def test_without_place_the_order_of_the_pixels_does_not_matter() -> None:
    picture = np.tile(np.random.default_rng(1).uniform(size=(3, 1, 4)), (1, 6, 1))
    weights = soft_materials(picture, 3, np.random.default_rng(2), place=0.0)
    np.testing.assert_allclose(weights, np.broadcast_to(weights[:, :1], weights.shape), atol=1e-12)
    assert np.ptp(soft_materials(picture, 3, np.random.default_rng(2), place=2.0), axis=1).max() > 0.1


def test_softness_is_how_gradually_one_gives_way_to_another(picture: Array) -> None:
    sharp, soft = (soft_materials(picture, 4, np.random.default_rng(0), softness=s).max(axis=0) for s in (0.01, 0.5))
    assert sharp.mean() > 0.97
    assert soft.mean() < 0.5
