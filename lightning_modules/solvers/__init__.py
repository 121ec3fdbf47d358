"""Training-free methods: plain functions on tensors, without Lightning or file access; defaults as published."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.solvers.enhanced_3dtv import enhanced_3dtv
from lightning_modules.solvers.lrmr import lrmr
from lightning_modules.solvers.lrtdtv import lrtdtv, lrtdtv_g
from lightning_modules.solvers.lrtv import lrtv
from lightning_modules.solvers.methods import (
    LRMR,
    LRTDTV,
    LRTDTVG,
    LRTV,
    RCTV,
    Enhanced3DTV,
    TrainingFree,
    WhitenedRCTV,
)
from lightning_modules.solvers.noise_estimate import band_noise
from lightning_modules.solvers.rctv import rctv
from lightning_modules.solvers.result import Progress, SolverError, SolverResult
from lightning_modules.solvers.subspace_estimate import Subspace, signal_subspace
from lightning_modules.solvers.whitened_rctv import whitened_rctv

__all__ = [
    "LRMR",
    "LRTDTV",
    "LRTDTVG",
    "LRTV",
    "RCTV",
    "Enhanced3DTV",
    "Progress",
    "SolverError",
    "SolverResult",
    "Subspace",
    "TrainingFree",
    "WhitenedRCTV",
    "band_noise",
    "enhanced_3dtv",
    "lrmr",
    "lrtdtv",
    "lrtdtv_g",
    "lrtv",
    "rctv",
    "signal_subspace",
    "whitened_rctv",
]
