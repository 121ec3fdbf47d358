"""The adapter to mamba_ssm against a stand-in for its kernel with the same signature and rules."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan import backends, selective_scan
from tests.lightning_modules.networks.layers.selective_scan.samples import (
    largest_error,
    outputs_and_gradients,
    scan_arguments,
    second_input,
)


def stand_in(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:  # noqa: N803
    """As the kernel: contiguous float32, B and C in groups."""
    assert all(tensor.is_contiguous() and tensor.dtype == torch.float32 for tensor in (u, delta, B, C))
    assert B.ndim == C.ndim == 4
    return selective_scan(u, delta, A, B, C, backend="reference")


@pytest.fixture
def mamba_ssm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package mamba_ssm that runs on the CPU."""
    package, operations = ModuleType("mamba_ssm"), ModuleType("mamba_ssm.ops")
    interface = ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = stand_in  # type: ignore[attr-defined]
    for module in (package, operations, interface):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(backends, "_check_mamba_ssm", lambda u, states: None)


@pytest.mark.usefixtures("mamba_ssm")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("with_second", [False, True])
@pytest.mark.parametrize("groups", [0, 2])
def test_adapter_equals_the_reference(groups: int, with_second: bool, reverse: bool) -> None:
    arguments = scan_arguments(length=25, groups=groups)
    second = second_input(arguments) if with_second else None
    expected = outputs_and_gradients("reference", arguments, second, reverse=reverse)
    found = outputs_and_gradients("mamba_ssm", arguments, second, reverse=reverse)
    assert largest_error(found, expected) <= 1e-5


@pytest.mark.usefixtures("mamba_ssm")
def test_second_input_where_the_first_has_steps_of_zero() -> None:
    u, delta, a, b, c, d = scan_arguments(length=25)
    delta = torch.where(delta < delta.median(), 0.0, delta)
    second = second_input((u, delta, a, b, c, d))
    expected = selective_scan(u, delta, a, b, c, d, second=second, backend="reference")
    found = selective_scan(u, delta, a, b, c, d, second=second, backend="mamba_ssm")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
