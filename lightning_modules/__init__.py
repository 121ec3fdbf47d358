"""What learns, and what is compared with it: Lightning modules, networks, metrics and checkpoints."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.checkpoints import (
    CheckpointError,
    load_official,
    load_official_state,
    load_weights,
    read_weights,
    weights_digest,
)
from lightning_modules.clip.blur_robust import BlurRobustCLIP
from lightning_modules.clip.instance_discrimination import InstanceDiscrimination
from lightning_modules.clip.sentence_towers import SentenceTowers
from lightning_modules.clip.text_prompts import TextPrompts
from lightning_modules.clip.towers import ClipError, ClipTowers
from lightning_modules.fusion import FusionModule
from lightning_modules.losses import L1VariationLoss, SquaredErrorAngleLoss
from lightning_modules.metrics import MetricProtocol
from lightning_modules.networks import (
    BDT,
    CO2IF,
    GDRRN,
    MPHSIR,
    SERT,
    SFCSR,
    SRLF,
    T3SC,
    Bi3DQRNN,
    ESSAformer,
    FusionMamba,
    GRNNet,
    HIRDiffUNet,
    MCNet,
    PromptIR,
    S2CycleDiff,
    SlidingBands,
    SSTFUNet,
    SSUMamba,
    TRQ3DNet,
    UpsampledInput,
)
from lightning_modules.networks.consistency import BackProjection, KnownEntries
from lightning_modules.restoration import RestorationModule
from lightning_modules.restoration.bandwise import BandwiseRestorationModule
from lightning_modules.schedules import LinearWarmupCosine, LinearWarmupPolynomial, OneCycle
from lightning_modules.solver_guided import Guided, Subspace
from lightning_modules.solvers import (
    CNMF,
    FUSE,
    GSA,
    ICCV15,
    LRMR,
    LRTDTV,
    LRTDTVG,
    LRTV,
    RCTV,
    BandInterpolation,
    Enhanced3DTV,
    HIRDiff,
    HydeImages,
    TrainingFree,
    TrainingFreeFusion,
    WhitenedRCTV,
)
from lightning_modules.training_free import SolverModule
from lightning_modules.training_free.fusion import FusionSolverModule

__all__ = [
    "BDT",
    "CNMF",
    "CO2IF",
    "FUSE",
    "GDRRN",
    "GSA",
    "ICCV15",
    "LRMR",
    "LRTDTV",
    "LRTDTVG",
    "LRTV",
    "MPHSIR",
    "RCTV",
    "SERT",
    "SFCSR",
    "SRLF",
    "T3SC",
    "BackProjection",
    "BandInterpolation",
    "BandwiseRestorationModule",
    "Bi3DQRNN",
    "BlurRobustCLIP",
    "CheckpointError",
    "ClipError",
    "ClipTowers",
    "ESSAformer",
    "Enhanced3DTV",
    "FusionMamba",
    "FusionModule",
    "FusionSolverModule",
    "GRNNet",
    "Guided",
    "HIRDiff",
    "HIRDiffUNet",
    "HydeImages",
    "InstanceDiscrimination",
    "KnownEntries",
    "L1VariationLoss",
    "LinearWarmupCosine",
    "LinearWarmupPolynomial",
    "MCNet",
    "MetricProtocol",
    "OneCycle",
    "PromptIR",
    "RestorationModule",
    "S2CycleDiff",
    "SSTFUNet",
    "SSUMamba",
    "SentenceTowers",
    "SlidingBands",
    "SolverModule",
    "SquaredErrorAngleLoss",
    "Subspace",
    "TRQ3DNet",
    "TextPrompts",
    "TrainingFree",
    "TrainingFreeFusion",
    "UpsampledInput",
    "WhitenedRCTV",
    "load_official",
    "load_official_state",
    "load_weights",
    "read_weights",
    "weights_digest",
]
