"""The kernels of `triton_kernels` in torch loops with the same arguments, so that what starts them runs anywhere."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor


class Launched:
    """A kernel that is started by `kernel[grid](...)`; the last grid is kept."""

    def __init__(self, work: Callable[..., None]) -> None:
        self.work = work
        self.grid: tuple[int, ...] = ()

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        self.grid = grid
        return self.work


def drive(row: Tensor, column: Tensor) -> Tensor:
    """`M x W` and `M x N` as a product `M x N x W`."""
    return column[..., None] * row[:, None]


def steps_of(place: int, driving: tuple[Tensor, ...], rates: Tensor, second: bool) -> tuple[Tensor, Tensor]:
    """Decay and drive `M x N x W` of a position."""
    inputs, steps, entry, steps2, entry2 = (one[place] for one in driving)
    driven = drive(steps * inputs, entry)
    return torch.exp2(rates * steps[:, None]), driven + drive(steps2 * inputs, entry2) if second else driven


def state_ends(*given: Tensor, second: bool, padded: int, tile: int) -> None:
    """See `triton_kernels.state_ends`."""
    driving, (rates, ends, products, *_, chunk) = given[:5], given[5:]
    for k in range(len(ends)):
        ends[k], products[k] = 0, 1
        for place in range(k * int(chunk), (k + 1) * int(chunk)):
            decay, driven = steps_of(place, driving, rates, second)
            ends[k], products[k] = decay * ends[k] + driven, products[k] * decay


def join(
    ends: Tensor, products: Tensor, carry: Tensor, entering: Tensor, lanes: int, chunks: int, *, backwards: bool,
    tile: int,
) -> None:  # fmt: skip
    """See `triton_kernels.join`."""
    assert (lanes, chunks) == (carry.numel(), len(ends))
    for k in reversed(range(chunks)) if backwards else range(chunks):
        entering[k] = carry
        carry.copy_(products[k] * carry + ends[k])


def outputs(*given: Tensor, second: bool, keep: bool, padded: int, tile: int) -> None:
    """See `triton_kernels.outputs`."""
    driving, (readout, rates, entering, result, history, *_, chunk) = given[:5], given[5:]
    for k in range(len(entering)):
        state = entering[k]
        for t in range(int(chunk)):
            place = k * int(chunk) + t
            if keep:
                history[k, t] = state
            decay, driven = steps_of(place, driving, rates, second)
            state = decay * state + driven
            if not keep:
                result[place] = (readout[place][..., None] * state).sum(1)
        if keep:
            history[k, int(chunk)] = state


def adjoint_ends(
    sent: Tensor, steps: Tensor, readout: Tensor, rates: Tensor, ends: Tensor, products: Tensor, *sizes: int,
    padded: int, tile: int,
) -> None:  # fmt: skip
    """See `triton_kernels.adjoint_ends`."""
    chunk = sizes[-1]
    for k in range(len(ends)):
        ends[k], products[k] = 0, 1
        for place in reversed(range(k * chunk, (k + 1) * chunk)):
            decay = torch.exp2(rates * steps[place][:, None])
            ends[k], products[k] = decay * (ends[k] + drive(sent[place], readout[place])), products[k] * decay


def gradients(*given: Tensor, second: bool, padded: int, tile: int) -> None:
    """See `triton_kernels.gradients`."""
    driving, (readout, rates, history, sent, behind) = given[:5], given[5:10]
    of_inputs, of_steps, of_entry, of_steps2, of_entry2, of_readout, of_rates = given[10:17]
    inputs, steps, entry, steps2, entry2 = driving
    chunk = history.shape[1] - 1
    parts = [slice(start, start + tile) for start in range(0, inputs.shape[-1], tile)]
    assert len(parts) == len(of_entry) == len(of_readout)
    for k in range(len(history)):
        carry, of_rates[k] = behind[k], 0
        for t in reversed(range(chunk)):
            place = k * chunk + t
            adjoint = carry + drive(sent[place], readout[place])
            decay, _ = steps_of(place, driving, rates, second)
            carry = decay * adjoint
            met = carry * history[k, t]
            of_rates[k] += met * steps[place][:, None]
            of_drive = (entry[place][..., None] * adjoint).sum(1)
            of_inputs[place] = of_drive * steps[place]
            # the rates are those of powers of two
            of_steps[place] = of_drive * inputs[place] + (met * rates).sum(1) * torch.tensor(2.0).log()
            if second:
                of_drive2 = (entry2[place][..., None] * adjoint).sum(1)
                of_inputs[place] += of_drive2 * steps2[place]
                of_steps2[place] = of_drive2 * inputs[place]
            for number, part in enumerate(parts):
                own = adjoint[..., part]
                of_entry[number, place] = (own * (steps * inputs)[place][:, None, part]).sum(-1)
                of_readout[number, place] = (history[k, t + 1][..., part] * sent[place][:, None, part]).sum(-1)
                if second:
                    of_entry2[number, place] = (own * (steps2 * inputs)[place][:, None, part]).sum(-1)


def plain_kernels() -> ModuleType:
    """A module in the place of `triton_kernels`."""
    module = ModuleType("triton_kernels")
    for kernel in (state_ends, join, outputs, adjoint_ends, gradients):
        setattr(module, kernel.__name__, Launched(kernel))
    return module
