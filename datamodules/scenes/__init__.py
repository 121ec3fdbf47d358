"""Scenes: their types, the checks they pass, the readers that open them and the cache that maps them."""

from datamodules.scenes.scene import MappedScene, Observation, ReadObservation, Scene
from datamodules.scenes.wavelengths import RGB_WAVELENGTHS, rgb_bands, to_rgb
from hyperalign.seeding import generator_for

__all__ = [
    "RGB_WAVELENGTHS",
    "MappedScene",
    "Observation",
    "ReadObservation",
    "Scene",
    "generator_for",
    "rgb_bands",
    "to_rgb",
]
