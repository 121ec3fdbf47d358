"""What holds for every backend: flips, the second input, the gate, half precision, and sentences."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.layers.selective_scan import Backend, SecondInput, selective_scan
from tests.lightning_modules.networks.layers.selective_scan.samples import scan_arguments, second_input

HERE: list[Backend] = ["reference", "chunked"]


@pytest.mark.parametrize("backend", HERE)
def test_reverse_is_flipping_sequences_and_output(backend: Backend) -> None:
    u, delta, a, b, c, d = scan_arguments(length=40, groups=2)
    second = second_input((u, delta, a, b, c, d))
    flipped = SecondInput(second.delta.flip(-1), second.B.flip(-1), second.weight)
    found = selective_scan(u, delta, a, b, c, d, second=second, reverse=True, backend=backend)
    y = selective_scan(u.flip(-1), delta.flip(-1), a, b.flip(-1), c.flip(-1), d, second=flipped, backend=backend)
    torch.testing.assert_close(found, y.flip(-1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", HERE)
def test_second_input_is_a_second_scan_with_the_same_decay(backend: Backend) -> None:
    """The state is linear in what drives it: two scans, the second driven by delta2 B2 u, are the coordinated one."""
    u, delta, a, b, c, d = scan_arguments(length=40, dtype=torch.float64)
    second = second_input((u, delta, a, b, c, d), weight=0.3)
    together = selective_scan(u, delta, a, b, c, d, second=second, backend=backend)
    driven = u * 0.3 * second.delta / delta
    apart = selective_scan(u, delta, a, b, c, d) + selective_scan(driven, delta, a, second.B, c)
    torch.testing.assert_close(together, apart, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(together, selective_scan(u, delta, a, b, c, d), atol=0.05)


@pytest.mark.parametrize("backend", HERE)
def test_bias_softplus_and_gate(backend: Backend) -> None:
    u, delta, a, b, c, d = scan_arguments(length=30)
    raw, bias, z = (
        delta.log(),
        torch.linspace(-1, 1, 4),
        torch.randn(u.shape, generator=torch.Generator().manual_seed(2)),
    )
    second = second_input((u, delta, a, b, c, d))
    biased = SecondInput(second.delta, second.B, 0.2, 2 * bias)
    found = selective_scan(
        u, raw, a, b, c, d, z=z, delta_bias=bias, delta_softplus=True, second=biased, backend=backend
    )
    plain = SecondInput(functional.softplus(second.delta + 2 * bias[:, None]), second.B, 0.2)
    steps = functional.softplus(raw + bias[:, None])
    expected = selective_scan(u, steps, a, b, c, d, second=plain, backend=backend) * functional.silu(z)
    torch.testing.assert_close(found, expected)


def test_one_group_stands_for_all() -> None:
    u, delta, a, b, c, d = scan_arguments(length=30, groups=2)
    found = selective_scan(u, delta, a, b[:, 0], c, d)
    torch.testing.assert_close(found, selective_scan(u, delta, a, b[:, :1].expand_as(b), c, d))


@pytest.mark.parametrize("backend", HERE)
def test_under_autocast_only_arguments_and_output_are_half_precision(backend: Backend) -> None:
    halves = [tensor.bfloat16() for tensor in scan_arguments(length=60)]
    leaves = [tensor.clone().requires_grad_() for tensor in halves]
    floats = [tensor.float().requires_grad_() for tensor in halves]
    with torch.autocast("cpu", torch.bfloat16):
        y = selective_scan(*leaves, backend=backend)
        y.backward(torch.ones_like(y))
    expected = selective_scan(*floats, backend=backend)
    expected.backward(torch.ones_like(expected))
    assert y.dtype == torch.bfloat16
    assert y.equal(expected.bfloat16())
    for leaf, wanted in zip(leaves, floats, strict=True):
        assert leaf.grad is not None and wanted.grad is not None
        torch.testing.assert_close(leaf.grad, wanted.grad.bfloat16(), rtol=0.01, atol=1e-6)
