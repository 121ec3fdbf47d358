"""What learns, and what is compared with it: Lightning modules, networks, metrics and checkpoints."""

import torchvision_repair  # noqa: F401
from lightning_modules.checkpoints import (
    CheckpointError,
    load_official,
    load_official_state,
    load_weights,
    read_weights,
    weights_digest,
)
from lightning_modules.metrics import MetricProtocol
from lightning_modules.networks import SERT, UpsampledInput
from lightning_modules.restoration import RestorationModule

__all__ = [
    "SERT",
    "CheckpointError",
    "MetricProtocol",
    "RestorationModule",
    "UpsampledInput",
    "load_official",
    "load_official_state",
    "load_weights",
    "read_weights",
    "weights_digest",
]
