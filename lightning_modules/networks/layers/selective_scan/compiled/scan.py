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

__all__ = ["compiled_answer", "compiled_scan"]


def compiled_scan(problem: ScanProblem) -> Tensor:
    """Scan in compiled loops on a CPU, in float32; memory as the sequences themselves, forward and backward.

    Returns:
        `y` without skip connection and gate, `B x D x L`.

    Raises:
        ModuleNotFoundError: there is no compiler, or it refuses.
    """
    y: Tensor = _CompiledScan.apply(  # type: ignore[no-untyped-call]
        problem.reverse,
        problem.inputs,
        problem.steps,
        problem.decay,
        problem.entry,
        problem.readout,
        problem.second_steps,
        problem.second_entry,
    )
    return y


def compiled_answer(problem: ScanProblem, bias: Tensor | None, softplus: bool, skip: Tensor | None) -> Tensor:
    """Scan without gradients, with what stands around the recurrence in the same pass over the sequence.

    Args:
        problem: of one input term, whose `steps` are delta as the caller gave it.
        bias: `D`, added to delta.
        softplus: apply softplus to delta plus bias.
        skip: `D`, the skip connection.

    Returns:
        `y` with its skip connection and without gate, `B x D x L`.

    Raises:
        ModuleNotFoundError: there is no compiler, or it refuses.
    """
    tensors = [problem.inputs, problem.steps, problem.decay, problem.entry, problem.readout, None, None]
    return _forward(tensors, problem.reverse, bias, softplus, skip)


def _called(name: str, numbers: Sequence[int], flags: Sequence[int], tensors: Sequence[Tensor | None]) -> None:
    """Call a function of the library with the sizes and the memory of the tensors."""
    assert all(one is None or one.dtype == torch.float32 for one in tensors)  # noqa: S101 - what the loops read
    sizes = [ctypes.c_int64(number) for number in numbers]
    switches = [ctypes.c_int(flag) for flag in (torch.get_num_threads(), *flags)]
    places = [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]
    scan_library()[name](*sizes, *switches, *places)


def _forward(
    tensors: Sequence[Tensor | None],
    reverse: bool,
    bias: Tensor | None = None,
    softplus: bool = False,
    skip: Tensor | None = None,
) -> Tensor:
    """`y` of u, delta, A, B, C, delta2 and B2, the last two None without a second term."""
    held = [None if one is None else one.contiguous() for one in tensors]
    around = [None if one is None else one.to(torch.float32).contiguous() for one in (bias, skip)]
    inputs, entry = held[0], held[3]
    assert inputs is not None  # noqa: S101 - only the second term may be missing
    assert entry is not None  # noqa: S101
    y = torch.empty_like(inputs)
    _called("selective_scan_forward", _sizes(inputs, entry), [reverse, softplus], [*held, *around, y])
    return y


def _sizes(inputs: Tensor, entry: Tensor) -> tuple[int, ...]:
    """Lanes, groups, channels of a group, states and positions."""
    batch, groups, states, length = entry.shape
    return batch * groups, groups, inputs.shape[1] // groups, states, length


class _CompiledScan(torch.autograd.Function):
    """`y` of `ScanProblem`, and the gradients of all its tensors."""

    @staticmethod
    def forward(ctx: Any, reverse: bool, *tensors: Tensor | None) -> Tensor:  # noqa: ANN401 - autograd's context
        held = [None if one is None else one.contiguous() for one in tensors]
        ctx.save_for_backward(*held)
        ctx.reverse = reverse
        return _forward(held, reverse)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - autograd's context
        # The adjoint knows one direction of time: what runs the other way is turned round, and its gradients are.
        inputs, steps, decay, *others = ctx.saved_tensors
        inputs, steps, *others = (_turned(one, ctx.reverse) for one in (inputs, steps, *others))
        held = [inputs, steps, decay, *others]
        found = [None if one is None else torch.zeros_like(one) for one in held]
        of_decay = found[2] = decay.new_zeros(len(inputs), *decay.shape)
        sent = _turned(gradient.contiguous(), ctx.reverse)
        _called("selective_scan_backward", _sizes(inputs, others[0]), [], [*held, sent, *found])
        first, second, _, *more = (_turned(one, ctx.reverse) for one in found)
        return None, first, second, of_decay.sum(0), *more


def _turned(tensor: Any, turn: bool) -> Any:  # noqa: ANN401 - None where there is no second term
    """A tensor with its last axis reversed, or as it is."""
    return tensor.flip(-1) if turn and tensor is not None else tensor
