"""Quasi-recurrence against a slow loop: values, gradients, what is kept for the backward pass, and convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.layers.quasi_recurrent import (
    Direction,
    Kind,
    QuasiRecurrentLayer,
    quasi_recurrence,
    upsample_bands,
)

DIRECTIONS: tuple[Direction, ...] = ("forward", "backward", "both")


def slow_states(gates: Tensor, direction: Direction) -> Tensor:
    """The recurrence as it stands in the paper, number by number over the bands."""
    groups = 3 if direction == "both" else 2
    z, *forgets = gates.unflatten(1, (groups, -1)).unbind(1)
    total = torch.zeros_like(z)
    passes = {"forward": (1,), "backward": (-1,), "both": (1, -1)}[direction]
    for forget, step in zip(forgets, passes, strict=True):
        state = torch.zeros_like(z[:, :, 0])
        for band in list(range(z.shape[2]))[::step]:
            f = 1 / (1 + (-forget[:, :, band]).exp())
            state = f * state + (1 - f) * z[:, :, band].tanh()
            total = total + nn.functional.pad(state.unsqueeze(2), (0, 0, 0, 0, band, z.shape[2] - 1 - band))
    return total


def draw_gates(direction: Direction, shape: tuple[int, ...] = (2, 3, 5, 2, 4)) -> Tensor:
    """Gates of a batch, float64."""
    batch, channels, *volume = shape
    groups = 3 if direction == "both" else 2
    generator = torch.Generator().manual_seed(4)
    return 2 * torch.randn(batch, groups * channels, *volume, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("bands", [1, 2, 9])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_states_and_gradients_equal_a_slow_loop(direction: Direction, bands: int) -> None:
    gates = draw_gates(direction, (2, 3, bands, 2, 4))
    expected = slow_states(gates, direction)
    weights = torch.rand(expected.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    mine, slow = gates.clone().requires_grad_(), gates.clone().requires_grad_()
    states = quasi_recurrence(mine, direction)
    assert torch.allclose(states, expected, rtol=0, atol=1e-14)
    (states * weights).sum().backward()
    (slow_states(slow, direction) * weights).sum().backward()
    assert mine.grad is not None
    assert slow.grad is not None
    assert torch.allclose(mine.grad, slow.grad, rtol=0, atol=1e-14)
    with torch.no_grad():
        assert torch.allclose(quasi_recurrence(gates.clone(), direction), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradcheck(direction: Direction) -> None:
    gates = draw_gates(direction, (1, 2, 4, 1, 2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda raw: quasi_recurrence(raw, direction), (gates,))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_training_keeps_the_gates_and_nothing_else(direction: Direction) -> None:
    gates = draw_gates(direction).requires_grad_()
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        states = quasi_recurrence(gates, direction)
    assert [tensor.data_ptr() for tensor in kept] == [gates.data_ptr()]
    before = gates.detach().clone()
    states.sum().backward()
    assert torch.equal(gates.detach(), before)


def test_half_precision_gates_are_processed_in_float32() -> None:
    gates = draw_gates("both", (1, 2, 200, 2, 2)).to(torch.bfloat16)
    exact = slow_states(gates.double(), "both")
    states = quasi_recurrence(gates.clone().requires_grad_(), "both")
    assert states.dtype == torch.bfloat16
    # Only the final rounding remains: 8 bits of mantissa.
    assert float((states.detach().double() - exact).abs().max()) <= 2**-8
    with torch.no_grad():
        assert torch.equal(quasi_recurrence(gates.clone(), "both"), states)


def test_upsampling_is_trilinear_with_aligned_corners() -> None:
    features = torch.randn(2, 3, 4, 5, 7, generator=torch.Generator().manual_seed(6))
    expected = nn.functional.interpolate(features, scale_factor=(1, 2, 2), mode="trilinear", align_corners=True)
    assert torch.allclose(upsample_bands(features), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(upsample_bands(torch.ones(1, 1, 2, 1, 1)), torch.ones(1, 1, 2, 2, 2))


@pytest.mark.parametrize("kind", ["convolution", "strided", "transposed", "upsampled"])
def test_one_cube_without_gradients_equals_the_trained_path(
    kind: Kind,
) -> None:
    torch.manual_seed(7)
    layer = QuasiRecurrentLayer(3, 4, "both", kind, normalised=True, bias=True).eval()
    features = torch.randn(1, 3, 5, 6, 8)
    trained = layer(features)
    with torch.no_grad():
        assert torch.allclose(layer(features), trained, rtol=1e-5, atol=1e-6)
        assert torch.allclose(layer(features.expand(2, -1, -1, -1, -1))[1:], trained, rtol=1e-5, atol=1e-6)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(features).dtype == torch.bfloat16
    size = {"strided": (3, 4), "upsampled": (12, 16)}.get(kind, (6, 8))
    assert trained.shape == (1, 4, 5, *size)


def test_direction_says_which_bands_a_state_depends_on() -> None:
    for direction, reached in (("forward", [3, 4]), ("backward", [0, 1, 2, 3]), ("both", [0, 1, 2, 3, 4])):
        gates = draw_gates(direction)  # type: ignore[arg-type]
        changed = gates.clone()
        changed[:, :, 3] += 1
        with torch.no_grad():
            difference = quasi_recurrence(gates, direction) - quasi_recurrence(changed, direction)  # type: ignore[arg-type]
        assert difference.abs().sum((0, 1, 3, 4)).nonzero().flatten().tolist() == reached
