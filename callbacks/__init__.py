"""The stages of HIR-ALIGN and the other Lightning callbacks."""

import torchvision_repair  # noqa: F401
from callbacks.cube_writer import CubeWriter
from callbacks.diagnostics import GuideDiagnostics
from callbacks.generated import GeneratedTraining
from callbacks.guides import Guides, HSIGeneGuides, PhotometricGuides, ProxyDiffusionGuides, UnCLIPGuides
from callbacks.pictures import Pictures
from callbacks.proxy import ProxyGeneration
from callbacks.results import ResultsTable
from callbacks.sources import CubeSource, ExternalCubes, HSIGene
from callbacks.synthesis import DistributionAdaptiveSynthesis
from callbacks.transfer import SpectralTransfer

__all__ = [
    "CubeSource",
    "CubeWriter",
    "DistributionAdaptiveSynthesis",
    "ExternalCubes",
    "GeneratedTraining",
    "GuideDiagnostics",
    "Guides",
    "HSIGene",
    "HSIGeneGuides",
    "PhotometricGuides",
    "Pictures",
    "ProxyDiffusionGuides",
    "ProxyGeneration",
    "ResultsTable",
    "SpectralTransfer",
    "UnCLIPGuides",
]
