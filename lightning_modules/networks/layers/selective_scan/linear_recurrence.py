"""First-order linear recurrences over many chunks side by side, and their adjoint; in place.

Two passes a direction: the first runs through every chunk from zero and keeps only the end; the ends are joined from
chunk to chunk by the product of the factors of a chunk; the second pass starts from the right values. Nothing is ever
divided, and all factors are decays, so any step size is safe in float32.

A sequence of tensors `chunks x lanes...`, one for each position of a chunk, stands for all chunks; lanes are whatever
runs independently.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["adjoint_", "entering_states", "states_"]


def entering_states(
    driven: Sequence[Tensor], kept: Sequence[Tensor], product: Tensor, state: Tensor, out: Tensor
) -> None:
    """Return the states with which each chunk starts.

    Args:
        driven: what each position adds, T tensors `K x lanes`.
        kept: the decays, T tensors `K x lanes`.
        product: product of a chunk's decays, `K x lanes`.
        state: state before the first chunk, `lanes`.
        out: filled, `K x lanes`.
    """
    out[0] = state
    if len(out) == 1:
        return
    ends = driven[0].clone()
    for drive, keep in zip(driven[1:], kept[1:], strict=True):
        torch.addcmul(drive, keep, ends, out=ends)
    for before, after, end, keep in zip(out[:-1], out[1:], ends[:-1], product[:-1], strict=True):
        torch.addcmul(end, keep, before, out=after)


def states_(driven: Sequence[Tensor], kept: Sequence[Tensor], entering: Tensor) -> None:
    """Turn what drives each position into the states, `h_t = kept_t h_{t-1} + driven_t`.

    Args:
        driven: T tensors `K x lanes`, overwritten.
        kept: the decays.
        entering: state before each chunk, `K x lanes`.
    """
    before = entering
    for here, keep in zip(driven, kept, strict=True):
        before = here.addcmul_(keep, before)


def adjoint_(gradient: Sequence[Tensor], kept: Sequence[Tensor], product: Tensor, carry: Tensor) -> Tensor:
    """Turn gradients of outputs into gradients of states, `g_t += kept_{t+1} g_{t+1}`.

    Args:
        gradient: what each position's own output sends to its state, T tensors `K x lanes`, overwritten.
        kept: the decays.
        product: product of a chunk's decays, `K x lanes`.
        carry: what the position behind the last one sends back, `lanes`.

    Returns:
        What the first position sends to the one before it, `lanes`.
    """
    last = gradient[-1]
    backwards = list(zip(gradient[-2::-1], kept[:0:-1], strict=True))
    if len(last) == 1:
        last += carry
    else:
        starts = last.clone()
        for here, keep in backwards:
            torch.addcmul(here, keep, starts, out=starts)
        starts *= kept[0]
        joints = zip(last.unbind(), starts.unbind(), product.unbind(), strict=True)
        for end, start, keep in reversed(list(joints)):
            end += carry
            carry = torch.addcmul(start, keep, carry)
    behind = last
    for here, keep in backwards:
        behind = here.addcmul_(keep, behind)
    return kept[0][0] * behind[0]
