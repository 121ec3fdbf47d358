"""Weights on disk: written whole, read safely (never running pickled code), checked, and brought to a network."""

from lightning_modules.checkpoints.content import IDENTITY_KEY, CheckpointError, check_resumable, check_run
from lightning_modules.checkpoints.description import (
    build,
    check_importable,
    described,
    described_network,
    of_any_machine,
)
from lightning_modules.checkpoints.digests import weights_digest
from lightning_modules.checkpoints.identity import (
    check_identity,
    network_identity,
    recorded_identity,
    recorded_task,
    recorded_training_data,
    training_data,
)
from lightning_modules.checkpoints.official import load_official, load_official_state, load_weights
from lightning_modules.checkpoints.reading import read_checkpoint, read_weights
from lightning_modules.checkpoints.states import check_shapes, check_state
from lightning_modules.checkpoints.writing import SafeCheckpointIO, write_checkpoint

__all__ = [
    "IDENTITY_KEY",
    "CheckpointError",
    "SafeCheckpointIO",
    "build",
    "check_identity",
    "check_importable",
    "check_resumable",
    "check_run",
    "check_shapes",
    "check_state",
    "described",
    "described_network",
    "load_official",
    "load_official_state",
    "load_weights",
    "network_identity",
    "of_any_machine",
    "read_checkpoint",
    "read_weights",
    "recorded_identity",
    "recorded_task",
    "recorded_training_data",
    "training_data",
    "weights_digest",
    "write_checkpoint",
]
