"""The selective scan one position after the other, as its equations say: the oracle of the other backends.

Autograd differentiates the loop, in float64 too. All states are kept: memory grows as length x channels x states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan.problem import ScanProblem

__all__ = ["reference_scan"]


def reference_scan(problem: ScanProblem) -> Tensor:
    """Loop over time (Gu and Dao, "Mamba", Algorithm 2; second input: CO2IF, Eq. 12-13).

    Returns:
        `y` without skip connection and gate, `B x D x L`.
    """
    batch, channels, length = problem.inputs.shape
    groups = problem.entry.shape[1]

    def channel_last(tensor: Tensor) -> Tensor:
        """`B x D x L` as `L x B x G x D/G x 1`: slices of the leading axis are contiguous and cheap to take."""
        return tensor.permute(2, 0, 1).reshape(length, batch, groups, channels // groups, 1)

    def state_last(tensor: Tensor) -> Tensor:
        """`B x G x N x L` as `L x B x G x 1 x N`."""
        return tensor.permute(3, 0, 1, 2).unsqueeze(3)

    steps = channel_last(problem.steps)
    kept = torch.exp(steps * problem.decay.view(groups, channels // groups, -1))
    driven = steps * state_last(problem.entry)
    if problem.second_steps is not None and problem.second_entry is not None:
        driven = driven + channel_last(problem.second_steps) * state_last(problem.second_entry)
    driven = driven * channel_last(problem.inputs)
    moments = list(zip(kept.unbind(0), driven.unbind(0), strict=True))
    state = torch.zeros_like(driven[0])
    states: list[Tensor] = []
    for keep, drive in reversed(moments) if problem.reverse else moments:
        state = torch.addcmul(drive, keep, state)
        states.append(state)
    if problem.reverse:
        states.reverse()
    outputs = (torch.stack(states) * state_last(problem.readout)).sum(-1)
    return outputs.reshape(length, batch, channels).permute(1, 2, 0)
