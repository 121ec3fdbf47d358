"""What a machine can do at most: operations of its matrix products a second, bytes of a copy a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lightning_modules.metrics.device_cost import fewest_seconds

SIDE = 1024
"""Of the matrices whose product is timed, on a CPU; eight times as large elsewhere."""

VALUES = 2**25
"""Of the copy: 128 MiB, far more than a CPU's caches hold; eight times as many elsewhere."""

ROUNDS = 5


@dataclass(frozen=True)
class Limits:
    """What a device can do at most.

    Attributes:
        operations: of float32 matrix products a second, a multiplication and an addition being two.
        bandwidth: bytes that a copy reads and writes a second.
    """

    operations: float
    bandwidth: float


def measured_limits(device: torch.device, shrink: int = 1) -> Limits:
    """Measure both, in the process and with the threads in which everything else is measured.

    Args:
        device: the device.
        shrink: what both problems are divided by, for tests.
    """
    larger = 1 if device.type == "cpu" else 8
    side, values = larger * SIDE // shrink, larger * VALUES // shrink
    left, right = (torch.rand(side, side, device=device) for _ in range(2))
    product = torch.empty_like(left)
    source = torch.ones(values, device=device)
    target = torch.empty_like(source)

    def fastest(work: Callable[[], object]) -> float:
        return fewest_seconds(work, device, ROUNDS, enough=2.0)

    operations = 2 * side**3 / fastest(lambda: torch.mm(left, right, out=product))
    return Limits(operations, 8 * values / fastest(lambda: target.copy_(source)))
