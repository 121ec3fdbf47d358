"""What the tests of single networks measure alike: gradients, reflected edges, batches, bfloat16 steps, weights."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn

Plain = Callable[[Any, Tensor], Tensor]
"""The published order of operations on the weights of our network."""


def parameters_without_gradient(network: nn.Module, x: Tensor) -> set[str]:
    """Names of the parameters that the mean square of the network's answer gives no gradient, or only zeros."""
    network(x).square().mean().backward()
    return {name for name, value in network.named_parameters() if value.grad is None or not bool(value.grad.any())}


def gradients(network: nn.Module, answer: Tensor, without: Collection[str] = ()) -> dict[str, Tensor]:
    """Gradient of the mean square of `answer` for every parameter but those named; fails where there is none."""
    network.zero_grad(set_to_none=True)
    answer.square().mean().backward()
    found = {}
    for name, parameter in network.named_parameters():
        if name not in without:
            assert parameter.grad is not None, name
            found[name] = parameter.grad
    network.zero_grad(set_to_none=True)
    return found


def gradients_of_both(
    network: nn.Module, plain_forward: Plain, x: Tensor, without: Collection[str] = ()
) -> list[tuple[str, Tensor, Tensor]]:
    """Name of every parameter but those named, its gradient, and its gradient by the plain form."""
    ours = gradients(network, network(x), without)
    plain = gradients(network, plain_forward(network, x), without)
    return [(name, gradient, plain[name]) for name, gradient in ours.items()]


def reflected(x: Tensor, height: int, width: int) -> Tensor:
    """Continue a cube at its lower and right end by reflection, edge not repeated, as often as necessary."""
    rows = [_reflected_index(row, x.shape[-2]) for row in range(height)]
    columns = [_reflected_index(column, x.shape[-1]) for column in range(width)]
    return x[..., rows, :][..., columns]


def _reflected_index(index: int, size: int) -> int:
    while size > 1 and index >= size:
        index = abs(2 * size - 2 - index)
    return index if size > 1 else 0


def restored_and_cropped(network: nn.Module, x: Tensor, multiple: int) -> tuple[Tensor, Tensor]:
    """The restored cube, and the part of the answer to the cube that was reflected to whole multiples before."""
    height, width = x.shape[-2:]
    with torch.no_grad():
        restored: Tensor = network(x)
        whole: Tensor = network(reflected(x, -(-height // multiple) * multiple, -(-width // multiple) * multiple))
    return restored, whole[..., :height, :width]


def together_and_alone(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The cubes of a batch restored together, and restored one by one."""
    with torch.no_grad():
        return network(x), torch.cat([network(one[None]) for one in x])


def bfloat16_losses(loss_of: Callable[[], Tensor], optimizer: torch.optim.Optimizer, steps: int = 50) -> list[float]:
    """Losses of training steps whose forward pass runs under bfloat16 autocast."""
    losses = []
    for _ in range(steps):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def draw_weights(
    network: nn.Module, generator: torch.Generator, gain_of: Callable[[str], float] = lambda _name: 1.0
) -> None:
    """Draw all parameters with a gain by name, large enough that every branch shows in the answer."""
    for name, parameter in network.named_parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 10
        parameter.data = gain_of(name) * torch.randn(parameter.shape, generator=generator) / fan_in**0.5


def draw_factors_and_biases(network: nn.Module) -> None:
    """Give the factors of normalised kernels and all biases sizes at which each of them shows in the answer."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in network.named_parameters():
        if name.endswith("weight_g"):
            parameter.data *= 1 + torch.rand(parameter.shape, generator=generator)
        elif parameter.ndim == 1:
            parameter.data = torch.randn(parameter.shape, generator=generator)
