"""One scan with its arguments checked and brought into one form, so that every backend solves the same problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["ScanProblem", "SecondInput", "check_shape", "prepare"]


@dataclass(frozen=True)
class SecondInput:
    """Second term that drives the state: the coordinated scan of CO2IF (Zhang, Yang, Gao, AAAI 2026, Eq. 12-13).

    The state receives `(delta_t B_t + weight * delta2_t B2_t) u_t`; it still decays by `exp(delta_t A)`.

    Attributes:
        delta: step sizes `B x D x L` of the other modality; `delta_softplus` of the scan applies to them as well.
        B: input matrix `B x N x L`, or grouped `B x G x N x L`, of the other modality.
        weight: lambda, a number or a scalar tensor (which then gets its gradient).
        delta_bias: `D`, added to `delta` before the softplus.
    """

    delta: Tensor
    B: Tensor
    weight: float | Tensor = 1.0
    delta_bias: Tensor | None = None


@dataclass(frozen=True)
class ScanProblem:
    """What a backend gets: all of one floating type, step sizes final, groups explicit.

    The answer is `y_t = C_t h_t` with `h_t = exp(steps_t decay) h_{t-1} + (steps_t entry_t + second_steps_t
    second_entry_t) inputs_t`; skip connection and gate are added around the backends.

    Attributes:
        inputs: u, `B x D x L`.
        steps: delta after bias and softplus, `B x D x L`.
        decay: A, `D x N`.
        entry: B, `B x G x N x L`; channel `d` belongs to group `d // (D / G)`.
        readout: C, `B x G x N x L`.
        second_steps: lambda times the second step sizes, `B x D x L`.
        second_entry: the second B, `B x G x N x L`.
        reverse: whether time runs from the last position to the first.
    """

    inputs: Tensor
    steps: Tensor
    decay: Tensor
    entry: Tensor
    readout: Tensor
    second_steps: Tensor | None
    second_entry: Tensor | None
    reverse: bool


def _step_sizes(delta: Tensor, bias: Tensor | None, softplus: bool, dtype: torch.dtype) -> Tensor:
    """Step sizes as the state equation uses them, `B x D x L`."""
    steps = delta.to(dtype)
    if bias is not None:
        steps = steps + bias.to(dtype)[:, None]
    if not softplus:
        return steps
    positive: Tensor = _Softplus.apply(steps)  # type: ignore[no-untyped-call]
    return positive


class _Softplus(torch.autograd.Function):
    """`log(1 + exp(x))` whose gradient comes from the result, which the scan keeps anyway, so that x is let go."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        positive = functional.softplus(x)
        ctx.save_for_backward(positive)
        return positive

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        # 1 / (1 + exp(-x)) = 1 - exp(-log(1 + exp(x)))
        (positive,) = ctx.saved_tensors
        slope: Tensor = positive.neg().expm1_().neg_()
        return slope.mul_(gradient)


def _grouped(name: str, matrix: Tensor, inputs: Tensor, states: int, dtype: torch.dtype) -> Tensor:
    """`B x N x L` or `B x G x N x L` as the latter, its shape checked."""
    batch, channels, length = inputs.shape
    grouped = matrix[:, None] if matrix.ndim == 3 else matrix
    if grouped.ndim != 4 or grouped.shape[0] != batch or grouped.shape[2:] != (states, length):
        raise InputError(
            f"selective_scan: {name} has shape {tuple(matrix.shape)}, wanted {batch} x {states} x {length} "
            f"or {batch} x groups x {states} x {length}"
        )
    if grouped.shape[1] == 0 or channels % grouped.shape[1]:
        raise InputError(
            f"selective_scan: {name} has {grouped.shape[1]} groups, which do not divide the {channels} channels of u"
        )
    return grouped.to(dtype)


def check_shape(name: str, tensor: Tensor | None, wanted: tuple[int, ...]) -> None:
    """Raise ValueError with a sentence if `tensor` is there but has another shape."""
    if tensor is not None and tuple(tensor.shape) != wanted:
        raise InputError(
            f"selective_scan: {name} has shape {tuple(tensor.shape)}, wanted {' x '.join(str(size) for size in wanted)}"
        )


def _check(u: Tensor, delta: Tensor, decay: Tensor, delta_bias: Tensor | None, second: SecondInput | None) -> None:
    """Sentences for the shapes that do not depend on groups."""
    if u.ndim != 3 or 0 in u.shape:
        raise InputError(
            f"selective_scan: u has shape {tuple(u.shape)}, wanted batch x channels x length, none of them empty"
        )
    if decay.is_complex():
        raise InputError("selective_scan: A is complex, give the real A (negative) of Mamba")
    sizes = tuple(u.shape)
    if decay.ndim != 2 or decay.shape[0] != sizes[1]:
        raise InputError(f"selective_scan: A has shape {tuple(decay.shape)}, wanted {sizes[1]} x states")
    check_shape("delta", delta, sizes)
    check_shape("delta_bias", delta_bias, sizes[1:2])
    if second is not None:
        check_shape("delta of the second input", second.delta, sizes)
        check_shape("delta_bias of the second input", second.delta_bias, sizes[1:2])


def prepare(
    u: Tensor,
    delta: Tensor,
    decay: Tensor,
    entry: Tensor,
    readout: Tensor,
    *,
    delta_bias: Tensor | None,
    delta_softplus: bool,
    second: SecondInput | None,
    reverse: bool,
) -> ScanProblem:
    """Check the arguments of `selective_scan` and bring them to float32 (float64 if u is).

    Raises:
        ValueError: a shape does not fit u's; the sentence names it.
    """
    _check(u, delta, decay, delta_bias, second)
    dtype = torch.float64 if u.dtype == torch.float64 else torch.float32
    states = decay.shape[1]
    matrices = [_grouped("B", entry, u, states, dtype), _grouped("C", readout, u, states, dtype)]
    second_steps = None
    if second is not None:
        matrices.append(_grouped("B of the second input", second.B, u, states, dtype))
        second_steps = _step_sizes(second.delta, second.delta_bias, delta_softplus, dtype) * second.weight
    groups = max(matrix.shape[1] for matrix in matrices)
    if {matrix.shape[1] for matrix in matrices} - {1, groups}:
        counts = ", ".join(str(matrix.shape[1]) for matrix in matrices)
        raise InputError(f"selective_scan: B and C have different numbers of groups ({counts}), give them the same")
    matrices = [matrix.expand(-1, groups, -1, -1) for matrix in matrices]
    return ScanProblem(
        inputs=u.to(dtype),
        steps=_step_sizes(delta, delta_bias, delta_softplus, dtype),
        decay=decay.to(dtype),
        entry=matrices[0],
        readout=matrices[1],
        second_steps=second_steps,
        second_entry=matrices[2] if second is not None else None,
        reverse=reverse,
    )
