"""Data: scenes, degradations, and one DataModule per data set, each importable from here by its short name."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from datamodules.base import SceneDataModule
from datamodules.cave import CAVE
from datamodules.chikusei import Chikusei
from datamodules.coco2017 import COCO2017
from datamodules.combined import CombinedScenes
from datamodules.degradations import (
    BandMissing,
    BicubicDownsampling,
    ComplexMixture,
    Degradation,
    EstimatedNoise,
    FusionObservation,
    GaussianBlurring,
    NonIIDGaussian,
    RandomMask,
    SeveralTasks,
)
from datamodules.folder import Folder
from datamodules.fusion_pair import FusionPair
from datamodules.harvard import Harvard
from datamodules.hsidwrd import HSIDwrD
from datamodules.icvl import ICVL
from datamodules.kaist import KAIST
from datamodules.paris_eo1 import ParisEO1
from datamodules.sample_scenes import SampleScenes
from datamodules.sampling.batches import Batch
from datamodules.sampling.relighting import Relighting
from datamodules.sampling.replay import SourceReplay
from datamodules.scenes import MappedScene, Observation, Scene, generator_for, rgb_bands, to_rgb

__all__ = [
    "CAVE",
    "COCO2017",
    "ICVL",
    "KAIST",
    "BandMissing",
    "Batch",
    "BicubicDownsampling",
    "Chikusei",
    "CombinedScenes",
    "ComplexMixture",
    "Degradation",
    "EstimatedNoise",
    "Folder",
    "FusionObservation",
    "FusionPair",
    "GaussianBlurring",
    "HSIDwrD",
    "Harvard",
    "MappedScene",
    "NonIIDGaussian",
    "Observation",
    "ParisEO1",
    "RandomMask",
    "Relighting",
    "SampleScenes",
    "Scene",
    "SceneDataModule",
    "SeveralTasks",
    "SourceReplay",
    "generator_for",
    "rgb_bands",
    "to_rgb",
]
