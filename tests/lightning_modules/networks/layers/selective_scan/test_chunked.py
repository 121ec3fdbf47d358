"""The chunked scan against the reference at every kind of length, and what it promises beyond equality."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan import SecondInput, selective_scan, time_blocks
from tests.lightning_modules.networks.layers.selective_scan.samples import (
    largest_error,
    on_gpu,
    outputs_and_gradients,
    scan_arguments,
    second_input,
)

LANES = 2 * 4 * 3


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of 64 positions, four chunks of 16, for the default sample shapes."""
    monkeypatch.setattr(time_blocks, "_CACHED_ELEMENTS", 64 * LANES)
    assert time_blocks.TimeBlocks.plan(1000, LANES, 1, "cpu").chunks == 4
    yield


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 63, 64, 65, 80, 129, 200])
def test_any_length_equals_the_reference(length: int, reverse: bool) -> None:
    arguments = scan_arguments(length=length, groups=2)
    second = second_input(arguments)
    expected = outputs_and_gradients("reference", arguments, second, reverse=reverse)
    found = outputs_and_gradients("chunked", arguments, second, reverse=reverse)
    assert largest_error(found, expected) <= 1e-5


@pytest.mark.parametrize("groups", [0, 1, 2, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_groups_and_batches_equal_the_reference(batch: int, groups: int) -> None:
    arguments = scan_arguments(batch=batch, channels=8, states=4, length=70, groups=groups)
    expected = outputs_and_gradients("reference", arguments)
    assert largest_error(outputs_and_gradients("chunked", arguments), expected) <= 1e-5


def test_many_lanes_go_one_chunk_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_blocks, "_WIDE", 1)
    monkeypatch.setattr(time_blocks, "_CACHED_ELEMENTS", 32 * LANES)
    assert time_blocks.TimeBlocks.plan(1000, LANES, 1, "cpu").chunks == 1
    arguments = scan_arguments(length=75)
    expected = outputs_and_gradients("reference", arguments)
    assert largest_error(outputs_and_gradients("chunked", arguments), expected) <= 1e-5


@pytest.mark.usefixtures("short_blocks")
def test_gradients_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_blocks, "_CACHED_ELEMENTS", 1)
    arguments = scan_arguments(batch=1, channels=2, states=2, length=18, dtype=torch.float64)
    second = second_input(arguments)

    def scan(*tensors: Tensor) -> Tensor:
        return selective_scan(*tensors[:6], second=SecondInput(*tensors[6:]), backend="chunked")

    tensors = (*arguments, second.delta, second.B, torch.tensor(0.2, dtype=torch.float64))
    assert torch.autograd.gradcheck(scan, tuple(tensor.requires_grad_() for tensor in tensors))


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("size", [1e-30, 30.0, 1e4, 1e30])
def test_steps_of_any_size_are_safe(size: float) -> None:
    """Decays of one, of 1e-13 and far below the smallest float: nothing is divided, no exponent is positive."""
    u, delta, a, b, c, d = scan_arguments(length=150)
    delta = torch.where(torch.rand(delta.shape, generator=torch.Generator().manual_seed(1)) < 0.5, size, delta)
    u = torch.where(delta == size, u / max(size, 1.0), u)
    expected = outputs_and_gradients("reference", (u, delta, a, b, c, d))
    found = outputs_and_gradients("chunked", (u, delta, a, b, c, d))
    assert all(tensor.isfinite().all() for tensor in found.values())
    assert largest_error(found, expected) <= 1e-5


@pytest.mark.parametrize("backend", ["reference", "chunked"])
def test_without_decay_the_second_input_is_summed_up(backend: str) -> None:
    u, delta, a, b, c, _ = scan_arguments(batch=1, channels=2, states=1, length=50)
    second = second_input((u, delta, a, b, c, delta[0, :, 0]), weight=0.5)
    y = selective_scan(u, torch.zeros_like(delta), a, b, torch.ones_like(c), second=second, backend=backend)  # type: ignore[arg-type]
    torch.testing.assert_close(y, (0.5 * second.delta * second.B * u).cumsum(-1))


@pytest.mark.usefixtures("short_blocks")
def test_same_call_same_bits() -> None:
    arguments = scan_arguments(length=150, groups=2)
    first, again = (outputs_and_gradients("chunked", arguments, second_input(arguments)) for _ in range(2))
    assert all(first[name].equal(again[name]) for name in first)


def test_states_are_not_kept_for_the_backward_pass() -> None:
    """What autograd holds on to grows with length x channels, not times the 16 states."""
    length, channels = 2048, 8
    arguments = scan_arguments(batch=1, channels=channels, states=16, length=length)
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 4
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        selective_scan(*(tensor.requires_grad_() for tensor in arguments), backend="chunked")
    assert sum(kept.values()) <= length * (4 * channels + 2 * 16)


@on_gpu
def test_chunked_on_a_gpu_equals_the_reference() -> None:
    arguments = scan_arguments(2, 24, 16, 1000, 4)
    expected = outputs_and_gradients("reference", arguments)
    assert largest_error(outputs_and_gradients("chunked", arguments, device="cuda"), expected) <= 1e-5
