"""The selective scan of the package mamba_ssm (CUDA kernels of Gu and Dao), where it is installed.

Its kernel knows one input term. A second one is put in by an exact rewriting: the state is linear in what drives it,
so the coordinated scan is the sum of two scans with the same decay, the second one driven by `u * delta2 / delta` so
that the kernel's own factor delta cancels. Both run in one call, as two sets of channels in groups of their own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan.problem import ScanProblem

__all__ = ["mamba_ssm_scan"]

_SMALLEST_STEP = 1e-12
"""Step sizes that the second scan is divided by; smaller ones decay by exp(0) in float32 all the same."""


def mamba_ssm_scan(problem: ScanProblem) -> Tensor:
    """Scan by `mamba_ssm.ops.selective_scan_interface.selective_scan_fn`, in float32, up to 256 states.

    Returns:
        `y` without skip connection and gate, `B x D x L`.
    """
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    inputs, steps, decay = problem.inputs, problem.steps, problem.decay
    entry, readout = problem.entry, problem.readout
    channels = inputs.shape[1]
    if problem.second_steps is not None and problem.second_entry is not None:
        divisor = steps.clamp(min=_SMALLEST_STEP)
        inputs = torch.cat([inputs, inputs * (problem.second_steps / divisor)], dim=1)
        steps, decay = torch.cat([steps, divisor], dim=1), torch.cat([decay, decay])
        entry, readout = torch.cat([entry, problem.second_entry], dim=1), torch.cat([readout, readout], dim=1)
    tensors = [inputs, steps, entry, readout]
    if problem.reverse:
        tensors = [tensor.flip(-1) for tensor in tensors]
    inputs, steps, entry, readout = (tensor.contiguous() for tensor in tensors)
    y: Tensor = selective_scan_fn(inputs, steps, decay, entry, readout)
    if y.shape[1] > channels:
        y = y[:, :channels] + y[:, channels:]
    return y.flip(-1) if problem.reverse else y
