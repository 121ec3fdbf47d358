"""GDRRN in the published order of operations, with its accident written out: a ReLU that overwrites what it reads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from experiments.commands.gpu_check.checks.specimens import RESTORATION

COMPACT = RESTORATION["gdrrn"]
PATCH = 16


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Refine `B x C x H x W`; the caller's tensor is left alone."""
    relu = overwriting_relu if network.rectified_skips else torch.relu
    x = x.clone()
    start = network.conv_first(relu(x))
    out = start
    for _ in range(network.recursions):
        out = network.recursive[0](relu(out))
        out = network.recursive[1](relu(out))
        out = torch.add(out, start)
    return torch.add(network.conv_last(relu(out)), x)


def overwriting_relu(x: Tensor) -> Tensor:
    """Rectify a tensor where it lies, so that whoever uses it later finds it rectified."""
    return torch.relu_(x)
