"""One block in plain operations against its equations written out position by position."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan.block_scan import BlockArguments
from lightning_modules.networks.layers.selective_scan.time_blocks import TimeBlocks
from lightning_modules.networks.layers.selective_scan.torch_blocks import TorchBlocks

MEMBERS, STATES, WIDTH, CHUNK = 2, 3, 4, 2


def drawn(chunks: int, terms: int) -> tuple[BlockArguments, Tensor, Tensor]:
    """Arguments of a block, rates of its decay, and the state before it."""
    generator = torch.Generator().manual_seed(10 * chunks + terms)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64).add(0.1).requires_grad_()

    time = chunks * CHUNK
    pairs = [(draw(time, MEMBERS, WIDTH), draw(time, MEMBERS, STATES)) for _ in range(terms)]
    arguments = BlockArguments(draw(time, MEMBERS, STATES), draw(time, MEMBERS, WIDTH), pairs)
    return arguments, -draw(MEMBERS, STATES, WIDTH).detach().requires_grad_(), draw(MEMBERS, STATES, WIDTH)


def written_out(arguments: BlockArguments, rates: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """States `time x M x N x W` and outputs `time x M x W` of the state equation."""
    states, results = [], []
    for t in range(len(arguments.inputs)):
        state = torch.exp(arguments.terms[0][0][t][:, None] * rates) * state
        for steps, entry in arguments.terms:
            state = state + entry[t][..., None] * (steps[t] * arguments.inputs[t])[:, None]
        states.append(state)
        results.append((arguments.readout[t][..., None] * state).sum(1))
    return torch.stack(states), torch.stack(results)


@pytest.mark.parametrize("terms", [1, 2])
@pytest.mark.parametrize("chunks", [1, 3])
def test_forward_gives_outputs_states_and_entering_states(chunks: int, terms: int) -> None:
    arguments, rates, state = drawn(chunks, terms)
    with torch.no_grad():
        states, results = written_out(arguments, rates, state)
        scan = TorchBlocks(TimeBlocks(99, 1, CHUNK, 3, False), rates)
        after, entering = state.clone(), torch.empty(chunks, *rates.shape, dtype=torch.float64)
        torch.testing.assert_close(scan.forward(arguments, after, entering), results)
    torch.testing.assert_close(after, states[-1])
    torch.testing.assert_close(entering, torch.cat((state.detach()[None], states[CHUNK - 1 : -1 : CHUNK])))


@pytest.mark.parametrize("terms", [1, 2])
@pytest.mark.parametrize("chunks", [1, 3])
def test_backward_is_autograds(chunks: int, terms: int) -> None:
    arguments, rates, state = drawn(chunks, terms)
    generator = torch.Generator().manual_seed(5)
    sent = torch.rand(arguments.inputs.shape, generator=generator, dtype=torch.float64)
    carry = torch.rand(rates.shape, generator=generator, dtype=torch.float64)
    states, results = written_out(arguments, rates, state)
    leaves = [rates, arguments.readout, arguments.inputs, *(one for term in arguments.terms for one in term), state]
    expected = torch.autograd.grad((results * sent).sum() + (states[-1] * carry).sum(), leaves)
    with torch.no_grad():
        scan = TorchBlocks(TimeBlocks(99, 1, CHUNK, 3, False), rates)
        entering = torch.empty(chunks, *rates.shape, dtype=torch.float64)
        scan.forward(arguments, state.clone(), entering)
        of_rates, found = scan.backward(arguments, sent, entering, carry)
    for one, wanted in zip([of_rates, *found, carry], expected, strict=True):
        torch.testing.assert_close(one, wanted)
