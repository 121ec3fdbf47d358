"""A hyperspectral cube from a colour picture: recolour, give every material its spectra, light, expose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.spectra.bands import WAVELENGTHS, Array
from datamodules.spectra.illuminants import illuminant
from datamodules.spectra.materials import soft_materials
from datamodules.spectra.metamers import material_spectra
from datamodules.spectra.reconstruction import primary_spectra


@dataclass(frozen=True)
class Recipe:
    """How one cube is made; the numbers a scene draws or is given.

    Attributes:
        light: illuminants and their shares.
        materials: number of materials the picture is split into.
        metamers: strength of the metameric blacks (`material_spectra`).
        length_scales: shortest and longest correlation length of the blacks in nm.
        hue_spread: standard deviation in radians of the hue rotation of each material.
        saturation: factor on the distance of a colour from grey.
        albedo_spread: standard deviation of the natural logarithm of each material's albedo.
        contrast: exponent on brightness; above 1 makes dark parts darker (colour is kept).
        exposure: value that the brightest 0.5 % of pixels reach.
        band_gain: relative standard deviation of the gain of each band (sensor calibration).
        band_blur: largest share of a 3 x 3 blur in any band (focus changes with wavelength).
    """

    light: tuple[tuple[str, float], ...] = (("equal_energy", 1.0),)
    materials: int = 12
    metamers: float = 0.5
    length_scales: tuple[float, float] = (25.0, 60.0)
    hue_spread: float = 0.0
    saturation: float = 1.0
    albedo_spread: float = 0.0
    contrast: float = 1.0
    exposure: float = 0.9
    band_gain: float = 0.0
    band_blur: float = 0.0


def _hue_rotation(angle: float, saturation: float) -> Array:
    """3 x 3 matrix that turns colours about the grey axis by `angle` and scales their distance from it."""
    axis = np.full(3, 1.0 / np.sqrt(3.0))
    grey = np.outer(axis, axis)
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / np.sqrt(3.0)
    rotation: Array = grey + saturation * (np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * cross)
    return rotation


def _into_gamut(rgb: Array) -> Array:
    """Bring colours back into [0, 1] by moving them towards the grey of the same mean, which is scaled if above 1."""
    grey = rgb.mean(axis=0, keepdims=True)
    away = rgb - grey
    low = np.min(away, axis=0, keepdims=True)
    keep = np.where(low < 0, np.minimum(1.0, grey / np.maximum(-low, 1e-12)), 1.0)
    inside = grey + keep * away
    bounded: Array = np.clip(inside / np.maximum(inside.max(axis=0, keepdims=True), 1.0), 0.0, 1.0)
    return bounded


def recolour(rgb: Array, weights: Array, recipe: Recipe, generator: np.random.Generator) -> Array:
    """Turn hues and change albedos material by material, raise contrast; linear RGB 3 x H x W in [0, 1]."""
    angles = generator.standard_normal(len(weights)) * recipe.hue_spread
    albedos = np.exp(generator.standard_normal(len(weights)) * recipe.albedo_spread)
    matrices = np.stack(
        [albedo * _hue_rotation(float(angle), recipe.saturation) for angle, albedo in zip(angles, albedos, strict=True)]
    )
    turned = np.einsum("kij,khw,jhw->ihw", matrices / max(1.0, float(albedos.max())), weights, rgb, optimize=True)
    inside = _into_gamut(turned)
    brightness = inside.max(axis=0, keepdims=True)
    contrasted: Array = inside * np.maximum(brightness, 1e-6) ** (recipe.contrast - 1.0)
    return np.minimum(contrasted, 1.0)


def _blur_bands(cube: Array, shares: Array) -> None:
    """Mix each band, in place, with its 3 x 3 binomial blur; `shares` (31) of the blurred one."""
    # Band by band, so that the working set stays in the processor's cache.
    for band, share in zip(cube, shares, strict=True):
        padded = np.pad(band, 1, mode="edge")
        rows = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
        band += share * (0.25 * rows[:, :-2] + 0.5 * rows[:, 1:-1] + 0.25 * rows[:, 2:] - band)


def reflectance_cube(rgb: Array, weights: Array, spectra: Array) -> Array:
    """Mix the materials: sum over k of weights[k] * spectra[k] @ rgb; 31 x H x W, not clipped.

    Args:
        rgb: linear RGB, 3 x H x W.
        weights: materials x H x W.
        spectra: materials x 31 x 3.
    """
    parts = (weights[:, None] * rgb[None]).reshape(-1, rgb.shape[1] * rgb.shape[2])
    mixed = spectra.transpose(1, 0, 2).reshape(spectra.shape[1], -1) @ parts
    return mixed.reshape(-1, *rgb.shape[1:])


def spectral_cube(rgb: Array, recipe: Recipe, generator: np.random.Generator) -> NDArray[np.float32]:
    """Make a cube (31 x H x W, float32 in [0, 1], bands at `WAVELENGTHS`) out of linear RGB (3 x H x W in [0, 1])."""
    weights = soft_materials(rgb, recipe.materials, generator)
    rgb = recolour(rgb, weights, recipe, generator)
    total = weights.sum(axis=(1, 2))
    colours = np.einsum("khw,ihw->ik", weights, rgb, optimize=True) / np.maximum(total, 1e-9)
    spectra = material_spectra(colours, primary_spectra(), recipe.metamers, recipe.length_scales, generator)
    light = np.asarray(sum(share * illuminant(name) for name, share in recipe.light), dtype=np.float64)
    gains = 1.0 + recipe.band_gain * np.clip(generator.standard_normal(len(WAVELENGTHS)), -2.5, 2.5)
    phase, turns = generator.uniform(0, 2 * np.pi), generator.uniform(0.3, 1.2)
    focus = 0.5 + 0.5 * np.sin(np.linspace(0, 2 * np.pi * turns, len(WAVELENGTHS)) + phase)
    cube = reflectance_cube(rgb, weights, spectra)
    np.maximum(cube, 0.0, out=cube)
    cube *= (light * gains)[:, None, None]
    _blur_bands(cube, recipe.band_blur * focus)
    bright = max(float(np.quantile(cube.max(axis=0), 0.995)), 1e-6)
    return np.clip(cube * (recipe.exposure / bright), 0.0, 1.0).astype(np.float32)
