"""The stages of HIR-ALIGN and the other Lightning callbacks."""

import torchvision_repair  # noqa: F401
from callbacks.cube_writer import CubeWriter
from callbacks.guides import Guides, PhotometricGuides, ProxyDiffusionGuides
from callbacks.pictures import Pictures
from callbacks.proxy import ProxyGeneration
from callbacks.results import ResultsTable
from callbacks.synthesis import DistributionAdaptiveSynthesis
from callbacks.transfer import SpectralTransfer

__all__ = [
    "CubeWriter",
    "DistributionAdaptiveSynthesis",
    "Guides",
    "PhotometricGuides",
    "Pictures",
    "ProxyDiffusionGuides",
    "ProxyGeneration",
    "ResultsTable",
    "SpectralTransfer",
]
