"""Data: scenes, degradations, and one DataModule per data set, each importable from here by its short name."""

import torchvision_repair  # noqa: F401, I001  first, or lightning cannot be imported

from datamodules.base import SceneDataModule
from datamodules.batches import Batch
from datamodules.cave import CAVE
from datamodules.chikusei import Chikusei
from datamodules.degradations import (
    BandMissing,
    BicubicDownsampling,
    ComplexMixture,
    Degradation,
    FusionObservation,
    GaussianBlurring,
    NonIIDGaussian,
    RandomMask,
)
from datamodules.harvard import Harvard
from datamodules.sample_scenes import SampleScenes
from datamodules.scenes import MappedScene, Observation, Scene, generator_for, rgb_bands, to_rgb

__all__ = [
    "CAVE",
    "BandMissing",
    "Batch",
    "BicubicDownsampling",
    "Chikusei",
    "ComplexMixture",
    "Degradation",
    "FusionObservation",
    "GaussianBlurring",
    "Harvard",
    "MappedScene",
    "NonIIDGaussian",
    "Observation",
    "RandomMask",
    "SampleScenes",
    "Scene",
    "SceneDataModule",
    "generator_for",
    "rgb_bands",
    "to_rgb",
]
