"""Training-free methods: plain functions on tensors, without Lightning or file access; defaults as published."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.networks.arguments import remembers_arguments
from lightning_modules.solvers.band_interpolation import band_interpolation
from lightning_modules.solvers.cnmf import cnmf
from lightning_modules.solvers.enhanced_3dtv import enhanced_3dtv
from lightning_modules.solvers.fuse import fuse, fuse_blind
from lightning_modules.solvers.fusion_methods import CNMF, FUSE, GSA, ICCV15, TrainingFreeFusion
from lightning_modules.solvers.gsa import gsa
from lightning_modules.solvers.hir_diff.method import HIRDiff
from lightning_modules.solvers.hir_diff.restoration import HIRDiffSettings, hir_diff
from lightning_modules.solvers.hyde_images import HydeImages, hyde_images
from lightning_modules.solvers.iccv15 import iccv15
from lightning_modules.solvers.lrmr import lrmr
from lightning_modules.solvers.lrtdtv import lrtdtv, lrtdtv_g
from lightning_modules.solvers.lrtv import lrtv
from lightning_modules.solvers.methods import (
    LRMR,
    LRTDTV,
    LRTDTVG,
    LRTV,
    RCTV,
    BandInterpolation,
    Enhanced3DTV,
    TrainingFree,
    WhitenedRCTV,
)
from lightning_modules.solvers.noise_estimate import band_noise
from lightning_modules.solvers.rctv import rctv
from lightning_modules.solvers.result import Progress, SolverError, SolverResult
from lightning_modules.solvers.spatial_response import SpatialResponse
from lightning_modules.solvers.subspace_estimate import Subspace, signal_subspace
from lightning_modules.solvers.whitened_rctv import whitened_rctv

__all__ = [
    "CNMF",
    "FUSE",
    "GSA",
    "ICCV15",
    "LRMR",
    "LRTDTV",
    "LRTDTVG",
    "LRTV",
    "RCTV",
    "BandInterpolation",
    "Enhanced3DTV",
    "HIRDiff",
    "HIRDiffSettings",
    "HydeImages",
    "Progress",
    "SolverError",
    "SolverResult",
    "SpatialResponse",
    "Subspace",
    "TrainingFree",
    "TrainingFreeFusion",
    "WhitenedRCTV",
    "band_interpolation",
    "band_noise",
    "cnmf",
    "enhanced_3dtv",
    "fuse",
    "fuse_blind",
    "gsa",
    "hir_diff",
    "hyde_images",
    "iccv15",
    "lrmr",
    "lrtdtv",
    "lrtdtv_g",
    "lrtv",
    "rctv",
    "signal_subspace",
    "whitened_rctv",
]

for _kind in (LRMR, LRTDTV, LRTDTVG, LRTV, RCTV, BandInterpolation, Enhanced3DTV, WhitenedRCTV):
    # A network that is guided by a method says in its checkpoints how to build both again.
    remembers_arguments(_kind)
