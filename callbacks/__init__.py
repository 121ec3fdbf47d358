"""The stages of HIR-ALIGN and the other Lightning callbacks."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from callbacks.adaptation.generated_training import GeneratedTraining
from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.adaptation.restorers import (
    BestRestorer,
    ChainRestorer,
    FlipRestorer,
    FolderRestorer,
    MeanRestorer,
    OtherRestorer,
    ProxyRestorer,
    SourceRestorer,
)
from callbacks.adaptation.synthesis import DistributionAdaptiveSynthesis
from callbacks.adaptation.weight_averaging import SourceAveraging
from callbacks.compilation import CompiledNetwork
from callbacks.generators import CubeGenerator, ExternalCubes, HSIGene
from callbacks.guides import Guides, HSIGeneGuides, PhotometricGuides, ProxyDiffusionGuides, UnCLIPGuides
from callbacks.prediction.prediction_writer import PredictionWriter
from callbacks.reporting.diagnostics.guide_diagnostics import GuideDiagnostics
from callbacks.reporting.diagnostics.theory import TheoryDiagnostics
from callbacks.reporting.guidance_pictures import GuidancePictures
from callbacks.reporting.noise_report import NoiseReport
from callbacks.reporting.pictures import Pictures
from callbacks.reporting.results_table import ResultsTable
from callbacks.reporting.scene_archive import SceneArchive
from callbacks.reporting.without_truth.gain_table import GainWithoutTruth
from callbacks.transfer import SpectralTransfer

CubeSource = CubeGenerator
"""The name under which older code knows `CubeGenerator`."""

CubeWriter = PredictionWriter
"""The name under which older configurations ask for `PredictionWriter`."""

__all__ = [
    "BestRestorer",
    "ChainRestorer",
    "CompiledNetwork",
    "CubeGenerator",
    "CubeSource",
    "CubeWriter",
    "DistributionAdaptiveSynthesis",
    "ExternalCubes",
    "FlipRestorer",
    "FolderRestorer",
    "GainWithoutTruth",
    "GeneratedTraining",
    "GuidancePictures",
    "GuideDiagnostics",
    "Guides",
    "HSIGene",
    "HSIGeneGuides",
    "MeanRestorer",
    "NoiseReport",
    "OtherRestorer",
    "PhotometricGuides",
    "Pictures",
    "PredictionWriter",
    "ProxyDiffusionGuides",
    "ProxyGeneration",
    "ProxyRestorer",
    "ResultsTable",
    "SceneArchive",
    "SourceAveraging",
    "SourceRestorer",
    "SpectralTransfer",
    "TheoryDiagnostics",
    "UnCLIPGuides",
]
