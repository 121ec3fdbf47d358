"""The Mamba block: its recurrence written out, its directions, its start, and the reordering of tokens."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.mamba import Mamba, ScanDirection, reorder


def drawn(block: torch.nn.Module) -> torch.nn.Module:
    """Weights at which every part shows, in double precision."""
    generator = torch.Generator().manual_seed(1)
    for parameter in block.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=generator)
    return block.double()


def tokens_of(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def written_out(direction: ScanDirection, sequence: Tensor) -> Tensor:
    """Convolution and recurrence of one `L x D` sequence, one number at a time where that is clearest."""
    length, channels = sequence.shape
    width = direction.conv1d.kernel_size[0]
    local = torch.zeros_like(sequence)
    for t in range(length):
        for back in range(min(width, t + 1)):
            local[t] += direction.conv1d.weight[:, 0, width - 1 - back] * sequence[t - back]
    assert direction.conv1d.bias is not None
    local = functional.silu(local + direction.conv1d.bias)
    rank, states, _ = direction.sizes
    state = torch.zeros(channels, states, dtype=sequence.dtype)
    outputs = []
    for u in local:
        projected = direction.x_proj(u)
        step = functional.softplus(direction.dt_proj(projected[:rank]))[:, None]
        entry, readout = projected[rank : rank + states], projected[rank + states :]
        state = torch.exp(-step * direction.A_log.exp()) * state + step * entry * u[:, None]
        outputs.append(state @ readout + direction.D * u)
    return torch.stack(outputs)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_block_equals_its_equations(bidirectional: bool) -> None:
    block = drawn(Mamba(6, state_dim=3, conv_width=4, expand=2, step_rank=2, bidirectional=bidirectional))
    assert isinstance(block, Mamba)
    tokens = tokens_of(2, 9, 6)
    expected = []
    for one in tokens:
        sequence, gate = block.in_proj(one).chunk(2, dim=-1)
        forwards, *others = block.directions
        assert isinstance(forwards, ScanDirection)
        total = written_out(forwards, sequence)
        for backwards in others:
            assert isinstance(backwards, ScanDirection)
            total = total + written_out(backwards, sequence.flip(0)).flip(0)
        expected.append(block.out_proj(total * functional.silu(gate)))
    assert len(block.directions) == 1 + bidirectional
    assert torch.allclose(block(tokens), torch.stack(expected), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_is_done_in_place_without_gradients_is_the_same(bidirectional: bool) -> None:
    block = drawn(Mamba(6, state_dim=3, expand=2, step_rank=2, bidirectional=bidirectional))
    tokens = tokens_of(2, 9, 6)
    given, expected = tokens.clone(), block(tokens)
    with torch.no_grad():
        found = block(tokens)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(tokens, given)


def test_one_direction_never_looks_ahead_and_two_do() -> None:
    tokens = tokens_of(1, 12, 4)
    changed = tokens.clone()
    changed[:, 7] += 1.0
    one, two = (drawn(Mamba(4, bidirectional=both)) for both in (False, True))
    assert torch.allclose(one(tokens)[:, :7], one(changed)[:, :7], rtol=0, atol=1e-12)
    assert (one(tokens)[:, 7:] - one(changed)[:, 7:]).abs().amin(-1).min() > 1e-6
    assert (two(tokens)[:, :7] - two(changed)[:, :7]).abs().max() > 1e-4


def test_step_sizes_start_between_a_thousandth_and_a_tenth() -> None:
    torch.manual_seed(0)
    block = Mamba(256)
    steps = functional.softplus(block.get_parameter("directions.0.dt_proj.bias"))
    assert 0.001 - 1e-6 < steps.min() < 0.0015
    assert 0.07 < steps.max() < 0.1 + 1e-6
    assert steps.log().mean().item() == pytest.approx(math.log(0.01), abs=0.2)
    assert block.get_parameter("directions.0.dt_proj.weight").abs().max().item() == pytest.approx(16**-0.5, rel=0.01)
    rates = block.get_parameter("directions.1.A_log").exp()
    assert torch.allclose(rates, torch.arange(1.0, 17.0).expand(512, 16))


def test_a_reordering_is_differentiated_by_its_inverse() -> None:
    order = torch.randperm(7, generator=torch.Generator().manual_seed(2))
    back = torch.argsort(order)
    tokens = tokens_of(2, 7, 3).requires_grad_()
    assert torch.equal(reorder(tokens, order, back), tokens[:, order])
    assert torch.autograd.gradcheck(lambda x: reorder(x, order, back) * x, (tokens,))
    assert torch.autograd.gradgradcheck(lambda x: reorder(x, order, back) * x, (tokens,))
