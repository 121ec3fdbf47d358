"""A module made ready from a checkpoint alone: network, settings and weights, for restoring without a Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from lightning_modules import checkpoints
from lightning_modules.checkpoints import CheckpointError, recorded_training_data
from lightning_modules.restoration.module import RestorationModule
from lightning_modules.restorer import taken_data

__all__ = ["load_module"]


def load_module(path: str | Path, network: nn.Module | None = None, trust: Sequence[str] = ()) -> RestorationModule:
    """Build the module that a checkpoint describes and load its weights.

    Args:
        path: checkpoint of this project, or with `network` any file that `load_weights` reads.
        network: network to load the weights into, for checkpoints that do not describe theirs.
        trust: packages of your own whose classes the checkpoint may name; without it only this project's, and those
            imported already, are built.

    Returns:
        The module in eval mode, on the CPU, without gradients; `trained_on` says bands and normalisation.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be used, or its network cannot be built from what it says.
    """
    content = checkpoints.read_checkpoint(path)
    identity = checkpoints.recorded_identity(content, str(path))
    description = identity.get("module")
    if network is None and description is None:
        raise CheckpointError(
            f"Checkpoint {path} does not describe its network, as older and foreign ones do not: give the network "
            "itself, or its config."
        )
    if network is not None:
        given = {"class_path": "lightning_modules.RestorationModule", **(description or {})}
        description = {**given, "init_args": {**given.get("init_args", {}), "network": network}}
    module = checkpoints.build(description, str(path), trust)
    if not isinstance(module, RestorationModule):
        raise CheckpointError(f"Checkpoint {path} describes a {type(module).__name__}, which restores nothing.")
    checkpoints.load_weights(module.network, path)
    module.trained_on = taken_data(module.network, recorded_training_data(identity))
    return module.eval().requires_grad_(False)
