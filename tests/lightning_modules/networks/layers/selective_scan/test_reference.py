"""The oracle itself: against the equations written out, and its gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan import SecondInput, selective_scan
from tests.lightning_modules.networks.layers.selective_scan.samples import scan_arguments, second_input


def written_out(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, second: SecondInput) -> Tensor:
    """The state equations with Python numbers, one batch member, channel, state and position at a time."""
    batch, channels, length = u.shape
    y = torch.zeros_like(u)
    width = channels // b.shape[1]
    for i in range(batch):
        for j in range(channels):
            g = j // width
            state = torch.zeros_like(a[j])
            for t in range(length):
                drive = delta[i, j, t] * b[i, g, :, t] + second.weight * second.delta[i, j, t] * second.B[i, g, :, t]
                state = torch.exp(delta[i, j, t] * a[j]) * state + drive * u[i, j, t]
                y[i, j, t] = (c[i, g, :, t] * state).sum() + d[j] * u[i, j, t]
    return y


def test_reference_is_the_state_equation() -> None:
    arguments = scan_arguments(batch=2, channels=4, states=3, length=7, groups=2, dtype=torch.float64)
    second = second_input(arguments, weight=0.1)
    y = selective_scan(*arguments, second=second, backend="reference")
    torch.testing.assert_close(y, written_out(*arguments, second), rtol=1e-12, atol=1e-12)


def test_gradients_of_the_reference() -> None:
    arguments = scan_arguments(batch=2, channels=4, states=2, length=5, groups=2, dtype=torch.float64)
    second = second_input(arguments, weight=0.3)
    extra = (
        torch.randn(4, dtype=torch.float64),
        torch.randn(2, 4, 5, dtype=torch.float64),
        second.delta,
        second.B,
        torch.tensor(0.3, dtype=torch.float64),
        torch.randn(4, dtype=torch.float64),
    )

    def scan(*tensors: Tensor) -> Tensor:
        bias, gate, delta2, b2, weight, bias2 = tensors[6:]
        return selective_scan(
            *tensors[:6],
            z=gate,
            delta_bias=bias,
            delta_softplus=True,
            second=SecondInput(delta2, b2, weight, bias2),
            reverse=True,
            backend="reference",
        )

    assert torch.autograd.gradcheck(scan, tuple(t.requires_grad_() for t in (*arguments, *extra)))
