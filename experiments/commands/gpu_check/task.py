"""What a part of the check is given."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from experiments.commands.gpu_check.record import Recorder

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Task:
    """What a part is given.

    Attributes:
        device: where it works.
        quick: whether sizes and steps are as small as a test needs.
        folder: where it may write.
        note: takes what it finds.
    """

    device: torch.device
    quick: bool
    folder: Path
    note: Recorder


class Check(Protocol):
    """A module of `experiments.commands.gpu_check.checks`."""

    def check(self, task: Task) -> None:
        """Look at one part."""


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Attributes:
        purpose: what `--help` says about it.
        budget: seconds after which it is cut.
    """

    purpose: str
    budget: float


PARTS = {
    "scan": Part("the selective scan by Triton beside plain torch operations and mamba_ssm", 75),
    "networks": Part("every restoration and fusion network: forward, backward, as on a CPU; times at full size", 180),
    "co2if": Part("a training step of CO2IF at the paper's patch, in float32 and bfloat16", 45),
    "solvers": Part("every training-free method as on a CPU", 90),
    "transfer": Part("the spectral transfer at 512 x 512 x 31, one to four guides at once", 90),
    "adaptation": Part("adaptation to the sample scenes from observations to scores, in float32 and bfloat16", 110),
    "unclip": Part("unCLIP's guides with random weights, tiny and at full size", 75),
    "ranks": Part("two processes on one device against one", 45),
    "determinism": Part("the same seed twice", 120),
}
"""The parts in the order in which they run, each a module of `experiments.commands.gpu_check.checks`."""


def check_of(part: str) -> Check:
    """Return the module of a part."""
    module: Check = importlib.import_module(f"experiments.commands.gpu_check.checks.{part}")
    return module
