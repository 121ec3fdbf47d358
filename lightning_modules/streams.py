"""Random numbers of a training step, the same whoever draws them: for what is random inside a module."""

from __future__ import annotations

import hashlib

import torch

__all__ = ["generator_of_step"]


def generator_of_step(purpose: str, seed: int, epoch: int, batch: int) -> torch.Generator:
    """Return the CPU generator of one batch.

    Args:
        purpose: what the numbers are for, so that two uses in a step do not share them.
        seed: seed of the run.
        epoch: the epoch.
        batch: number of the batch within the epoch.
    """
    digest = hashlib.sha256(f"{purpose} {seed} {epoch} {batch}".encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "big"))
