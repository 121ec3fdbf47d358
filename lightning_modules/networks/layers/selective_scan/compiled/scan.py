"""The selective scan through the compiled loops: an autograd function over contiguous tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.networks.layers.selective_scan.compiled.library import scan_library
from lightning_modules.networks.layers.selective_scan.problem import ScanProblem

__all__ = ["compiled_scan"]


def compiled_scan(problem: ScanProblem) -> Tensor:
    """Scan in compiled loops on a CPU, in float32; memory as the sequences themselves, forward and backward.

    Returns:
        `y` without skip connection and gate, `B x D x L`.

    Raises:
        ModuleNotFoundError: there is no compiler, or it refuses.
    """
    tensors = [problem.inputs, problem.steps, problem.decay, problem.entry, problem.readout]
    second = [problem.second_steps, problem.second_entry]
    if problem.reverse:
        tensors = [one if number == 2 else one.flip(-1) for number, one in enumerate(tensors)]
        second = [None if one is None else one.flip(-1) for one in second]
    y: Tensor = _CompiledScan.apply(*tensors, *second)  # type: ignore[no-untyped-call]
    return y.flip(-1) if problem.reverse else y


def _called(name: str, shape: Sequence[int], tensors: Sequence[Tensor | None]) -> None:
    """Call a function of the library with the sizes and the memory of the tensors."""
    sizes = [ctypes.c_int64(size) for size in shape]
    places = [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]
    scan_library()[name](*sizes, ctypes.c_int(torch.get_num_threads()), *places)


def _sizes(inputs: Tensor, entry: Tensor) -> tuple[int, ...]:
    """Lanes, groups, channels of a group, states and positions."""
    batch, groups, states, length = entry.shape
    return batch * groups, groups, inputs.shape[1] // groups, states, length


class _CompiledScan(torch.autograd.Function):
    """`y` of `ScanProblem` with time running forwards, and the gradients of all its tensors."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor | None) -> Tensor:  # noqa: ANN401 - autograd's context
        held = [None if one is None else one.contiguous() for one in tensors]
        inputs, entry = held[0], held[3]
        assert inputs is not None  # noqa: S101 - only the second term may be missing
        assert entry is not None  # noqa: S101
        y = torch.empty_like(inputs)
        _called("selective_scan_forward", _sizes(inputs, entry), [*held, y])
        ctx.save_for_backward(*held)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - autograd's context
        held = list(ctx.saved_tensors)
        inputs, _, decay, entry, *_ = held
        found = [None if one is None else torch.zeros_like(one) for one in held]
        batch = len(inputs)
        found[2] = torch.zeros(batch, *decay.shape)
        _called("selective_scan_backward", _sizes(inputs, entry), [*held, gradient.contiguous(), *found])
        return tuple(one.sum(0) if number == 2 and one is not None else one for number, one in enumerate(found))
