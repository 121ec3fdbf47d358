"""Recurrences over chunks side by side against one loop over all positions, and their adjoint."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan.linear_recurrence import adjoint_, entering_states, states_

SIZES = [(1, 1), (1, 5), (4, 1), (3, 4)]
"""Chunks and positions of a chunk."""


def drawn(chunks: int, positions: int) -> tuple[Tensor, Tensor, Tensor]:
    """Drives and decays `chunks x positions x 2`, and a state before them."""
    generator = torch.Generator().manual_seed(chunks * 10 + positions)
    driven, kept = torch.rand(2, chunks, positions, 2, generator=generator, dtype=torch.float64)
    return driven, kept, torch.rand(2, generator=generator, dtype=torch.float64)


def loop(driven: Tensor, kept: Tensor, state: Tensor) -> Tensor:
    """The states of all positions one after the other."""
    states = []
    for drive, keep in zip(driven.flatten(0, 1), kept.flatten(0, 1), strict=True):
        state = keep * state + drive
        states.append(state)
    return torch.stack(states).view(driven.shape)


@pytest.mark.parametrize(("chunks", "positions"), SIZES)
def test_states_equal_the_loop(chunks: int, positions: int) -> None:
    driven, kept, state = drawn(chunks, positions)
    expected = loop(driven, kept, state)
    entering = torch.empty(chunks, 2, dtype=torch.float64)
    entering_states(driven.unbind(1), kept.unbind(1), kept.prod(1), state, out=entering)
    torch.testing.assert_close(entering, torch.cat((state[None], expected[:-1, -1])))
    states_(driven.unbind(1), kept.unbind(1), entering)
    torch.testing.assert_close(driven, expected)


@pytest.mark.parametrize(("chunks", "positions"), SIZES)
def test_adjoint_is_autograds(chunks: int, positions: int) -> None:
    driven, kept, state = drawn(chunks, positions)
    gradient = torch.rand(driven.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    carry = torch.rand(2, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    driven.requires_grad_()
    state.requires_grad_()
    states = loop(driven, kept, state)
    value = (states * gradient).sum() + (states[-1, -1] * carry).sum()
    of_driven, of_state = torch.autograd.grad(value, (driven, state))
    sent = adjoint_(gradient.unbind(1), kept.unbind(1), kept.prod(1), carry)
    torch.testing.assert_close(gradient, of_driven)
    torch.testing.assert_close(sent, of_state)


def test_decays_of_zero_cut_the_past_off() -> None:
    driven, kept, state = drawn(2, 3)
    kept[1, 1] = 0
    expected = driven[1, 1].clone()
    entering = torch.empty(2, 2, dtype=torch.float64)
    entering_states(driven.unbind(1), kept.unbind(1), kept.prod(1), state, out=entering)
    states_(driven.unbind(1), kept.unbind(1), entering)
    assert torch.equal(driven[1, 1], expected)
