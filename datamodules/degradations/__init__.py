"""The forward models of the six restoration tasks, each seeded and each naming its convention.

`operators.py` (linear maps with adjoints), `noise.py` (noise with fixed parameters) and `draws.py` (random
parameters) are separate; one file a task combines them. To add a task: derive from `Degradation`, write `draw` and
`settings`, export the class here and in `datamodules`, and add `experiments/tasks/NAME.yaml`.
"""

from datamodules.degradations.band_missing import BandMissing
from datamodules.degradations.base import Corruption, Degradation
from datamodules.degradations.complex_mixture import ComplexMixture
from datamodules.degradations.deblurring import GaussianBlurring
from datamodules.degradations.estimated_noise import EstimatedNoise
from datamodules.degradations.fusion import FusionObservation
from datamodules.degradations.gaussian import NonIIDGaussian
from datamodules.degradations.inpainting import RandomMask
from datamodules.degradations.operators import LinearOperator, Masking, Separable
from datamodules.degradations.resize import bicubic_resize, bicubic_upsample
from datamodules.degradations.several_tasks import SeveralTasks, one_task
from datamodules.degradations.super_resolution import BicubicDownsampling

__all__ = [
    "BandMissing",
    "BicubicDownsampling",
    "ComplexMixture",
    "Corruption",
    "Degradation",
    "EstimatedNoise",
    "FusionObservation",
    "GaussianBlurring",
    "LinearOperator",
    "Masking",
    "NonIIDGaussian",
    "RandomMask",
    "Separable",
    "SeveralTasks",
    "bicubic_resize",
    "bicubic_upsample",
    "one_task",
]
