"""The compiled scan against the reference, with any number of states, blocks and threads, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lightning_modules.networks.layers.selective_scan import SecondInput, selective_scan
from lightning_modules.networks.layers.selective_scan.compiled import library
from tests.lightning_modules.networks.layers.selective_scan.samples import (
    largest_error,
    outputs_and_gradients,
    scan_arguments,
    second_input,
)

needs_compiler = pytest.mark.skipif(library.compiler() is None, reason="there is no C++ compiler on this machine")


@needs_compiler
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("states", "length"), [(1, 1), (3, 20), (4, 512), (5, 513), (9, 700)])
def test_outputs_and_gradients_equal_the_reference(states: int, length: int, reverse: bool) -> None:
    arguments = scan_arguments(states=states, length=length, groups=2)
    second = second_input(arguments)
    expected = outputs_and_gradients("reference", arguments, second, reverse=reverse)
    assert largest_error(outputs_and_gradients("compiled", arguments, second, reverse=reverse), expected) <= 1e-5


@needs_compiler
@pytest.mark.parametrize("groups", [0, 1, 4])
def test_without_second_input_and_with_any_groups(groups: int) -> None:
    arguments = scan_arguments(batch=3, channels=8, states=4, length=70, groups=groups)
    expected = outputs_and_gradients("reference", arguments)
    assert largest_error(outputs_and_gradients("compiled", arguments), expected) <= 1e-5


@needs_compiler
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("channels", "states", "length"), [(1, 1, 1), (16, 16, 128), (40, 21, 300), (70, 4, 129)])
def test_what_stands_around_the_scan_is_done_in_the_same_pass(
    channels: int, states: int, length: int, reverse: bool
) -> None:
    u, _, *others = scan_arguments(channels=channels, states=states, length=length)
    generator = torch.Generator().manual_seed(5)
    delta = torch.randn(u.shape, generator=generator).mul(8.0)
    bias = torch.randn(channels, generator=generator)
    around: dict[str, Any] = {"delta_bias": bias, "delta_softplus": True, "reverse": reverse}
    expected = selective_scan(u.double(), delta, *others, **around, backend="reference")
    with torch.no_grad():
        found = selective_scan(u, delta, *others, **around, backend="compiled")
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-6
    kept = selective_scan(u.clone().requires_grad_(), delta, *others, **around, backend="compiled")
    assert float((kept.detach() - expected).abs().max() / expected.abs().max()) <= 1e-6


@needs_compiler
def test_the_size_of_the_bias_is_checked_without_gradients_too() -> None:
    with torch.no_grad(), pytest.raises(ValueError, match="delta_bias has shape"):
        selective_scan(*scan_arguments(), delta_bias=torch.zeros(3), backend="compiled")


@needs_compiler
@pytest.mark.parametrize("size", [1e-30, 30.0, 1e4, 1e30])
def test_steps_of_any_size_are_safe(size: float) -> None:
    u, _, decay, entry, readout, skip = scan_arguments(length=600)
    steps = torch.full_like(u, size)
    entry = entry / max(size, 1.0)
    found = selective_scan(u, steps, decay, entry, readout, skip, backend="compiled")
    expected = selective_scan(u, steps, decay, entry, readout, skip, backend="reference")
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@needs_compiler
def test_same_bits_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = scan_arguments(batch=3, channels=148, length=300, groups=2)
    alone = outputs_and_gradients("compiled", arguments, second_input(arguments))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    for name, found in outputs_and_gradients("compiled", arguments, second_input(arguments)).items():
        assert torch.equal(found, alone[name]), name


@needs_compiler
def test_values_that_are_not_numbers_are_passed_on() -> None:
    u, *others = scan_arguments(length=30)
    u[0, 0, 7] = torch.nan
    y = selective_scan(u, *others, backend="compiled")
    assert torch.isnan(y[0, 0, 7:]).all()
    assert torch.isfinite(y[0, 0, :7]).all()


def test_only_single_precision_on_a_cpu() -> None:
    with pytest.raises(ValueError, match="backend 'compiled' computes in float32 but u is float64"):
        selective_scan(*scan_arguments(dtype=torch.float64), backend="compiled")
    elsewhere = [tensor.to("meta") for tensor in scan_arguments()]
    with pytest.raises(ValueError, match="backend 'compiled' runs on a CPU but u is on meta"):
        selective_scan(*elsewhere, backend="compiled")


@needs_compiler
def test_a_weight_that_is_learned_gets_its_gradient() -> None:
    arguments = scan_arguments(groups=2)
    weight = torch.tensor(0.3, requires_grad=True)
    second = second_input(arguments)
    selective_scan(*arguments, second=SecondInput(second.delta, second.B, weight), backend="compiled").sum().backward()
    assert weight.grad is not None
    assert float(weight.grad.abs()) > 0


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_that_new_tensors_get_changes_no_gradient(dtype: torch.dtype) -> None:
    # --trainer.precision 64-true and bf16-true set it for whole steps.
    leaves = [one.requires_grad_() for one in scan_arguments(states=5, length=20)]
    expected = torch.autograd.grad(selective_scan(*leaves, backend="compiled").sum(), leaves)
    try:
        torch.set_default_dtype(dtype)
        found = torch.autograd.grad(selective_scan(*leaves, backend="compiled").sum(), leaves)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
