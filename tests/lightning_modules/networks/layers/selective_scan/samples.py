"""Arguments for scans: step sizes and decays as a trained Mamba has them."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan import Backend, SecondInput, selective_scan

installed = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="Triton kernels need a GPU, there is none here")

Arguments = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def scan_arguments(
    batch: int = 2,
    channels: int = 4,
    states: int = 3,
    length: int = 20,
    groups: int = 0,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Arguments:
    """u, delta (positive), A (negative), B, C (grouped if `groups`), D."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    matrix = (batch, groups, states, length) if groups else (batch, states, length)
    u, delta = draw(batch, channels, length), draw(batch, channels, length).mul(1.5).exp().mul(0.1)
    return u, delta, -draw(channels, states).exp(), draw(*matrix), draw(*matrix), draw(channels)


def second_input(arguments: Arguments, weight: float = 0.1) -> SecondInput:
    """Step sizes and input matrix of the other modality for the same shapes."""
    generator = torch.Generator().manual_seed(7)
    u, b = arguments[0], arguments[3]
    delta = torch.rand(u.shape, generator=generator, dtype=torch.float64).to(u.dtype)
    return SecondInput(delta, torch.randn(b.shape, generator=generator, dtype=torch.float64).to(b.dtype), weight)


def outputs_and_gradients(
    backend: Backend,
    arguments: Arguments,
    second: SecondInput | None = None,
    *,
    reverse: bool = False,
    device: str = "cpu",
) -> dict[str, Tensor]:
    """`y` and the gradients of a random linear function of it in every tensor, by name, on the CPU."""
    names = ["u", "delta", "A", "B", "C", "D"]
    tensors = list(arguments)
    if second is not None:
        assert isinstance(second.weight, float)
        names += ["delta2", "B2", "lambda"]
        tensors += [second.delta, second.B, torch.tensor(second.weight, dtype=second.delta.dtype)]
    leaves = [tensor.detach().to(device).requires_grad_() for tensor in tensors]
    again = SecondInput(*leaves[6:]) if second is not None else None
    y = selective_scan(*leaves[:6], second=again, reverse=reverse, backend=backend)
    generator = torch.Generator().manual_seed(3)
    y.backward(torch.randn(y.shape, generator=generator).to(y))
    found = {name: leaf.grad for name, leaf in zip(names, leaves, strict=True)}
    return {"y": y.detach().cpu(), **{name: grad.cpu() for name, grad in found.items() if grad is not None}}


def largest_error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Largest difference of any of the tensors, in units of the largest value of that tensor."""
    assert found.keys() == expected.keys()
    return max(float((found[name] - wanted).abs().max() / wanted.abs().max()) for name, wanted in expected.items())
