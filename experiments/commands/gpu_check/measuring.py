"""Seconds and memory as the wall counts them on either device, and differences."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from lightning_modules.metrics.device_cost import DeviceCost, fewest_seconds

seconds = partial(fewest_seconds, clock="wall")
"""Of the fastest run; on a CPU of the wall too, since a device is compared with all of a CPU's threads together."""

spent = partial(DeviceCost, clock="wall")
"""Seconds and memory of a block, likewise."""


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference over the largest value of what is expected; both may lie on any device."""
    found, expected = found.detach().double().cpu(), expected.detach().double().cpu()
    scale = float(expected.abs().max())
    return float((found - expected).abs().max()) / (scale if scale > 0 else 1.0)


def exact_products() -> None:
    """Keep products of float32 in float32, so that a difference from a CPU is one of order and not of digits."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
