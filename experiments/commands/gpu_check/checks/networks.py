"""Every restoration and fusion network: the same on the device as on a CPU, and its time at full size."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from experiments.commands.gpu_check.checks.specimens import FUSION, RESTORATION, built, inputs_of, smooth
from experiments.commands.gpu_check.measuring import exact_products, relative, seconds, spent
from experiments.commands.gpu_check.record import sentence
from experiments.commands.gpu_check.task import Task

SIDE, FUSED_SIDE = 64, 128
"""Of the target that full-size networks restore or fuse, in pixels: a training patch."""

QUICK_SIDE = 32
TOLERANCE = 2e-3
"""Of the output in the largest value, and of the gradients in the largest of each parameter's, against float64."""

ROUNDING = 10.0
"""How many times a CPU's own float32 error may be reached where that is larger."""

Answer = tuple[Tensor, dict[str, Tensor]]
"""Output, and gradients by parameter."""


def check(task: Task) -> None:
    """Compare all compact networks, then time all full-size ones."""
    exact_products()
    stems = [*RESTORATION, *FUSION]
    for stem in stems:
        _guarded(task, f"{stem}, compact", partial(_as_on_a_cpu, task, stem))
    if task.quick:
        return
    for stem in stems:
        _guarded(task, f"{stem}, full size", partial(_at_full_size, task, stem))


def _guarded(task: Task, what: str, work: Any) -> None:  # noqa: ANN401 - a call without arguments
    """Look at one network; what fails there must not keep the others from being looked at."""
    try:
        work()
    except Exception as error:
        task.note.line(what, False, reason=sentence(error))
    if task.device.type == "cuda":
        torch.cuda.empty_cache()


def _as_on_a_cpu(task: Task, stem: str) -> None:
    """Hold a network against float64 on a CPU, and its rounding against a CPU's."""
    network = built(stem, compact=True).eval()
    _wake(network)
    width = FUSION["co2if"]["text_width"] if stem == "co2if" else 0
    inputs = inputs_of(stem, 64 if stem == "grn" else QUICK_SIDE, text_width=width)
    there = exact = answered(network, inputs)
    if exact[1]:  # one that samples has no gradients, and draws other numbers in float64
        exact = answered(copy.deepcopy(network).double(), [one.double() for one in inputs])
    twin = copy.deepcopy(network).to(task.device)
    placed = [one.to(task.device) for one in inputs]
    ours, theirs = _errors(answered(twin, placed), exact), _errors(there, exact)
    finite = True
    if not exact[1]:
        _step(twin, placed, task.device.type, bfloat16=False)
        finite = all(bool(torch.isfinite(one.grad).all()) for one in twin.parameters() if one.grad is not None)
    holds = finite and all(one <= max(TOLERANCE, ROUNDING * other) for one, other in zip(ours, theirs, strict=True))
    task.note.line(
        f"{stem}, compact",
        holds,
        error_forward=ours[0],
        of_a_cpu=theirs[0],
        error_backward=ours[1],
        backward_of_a_cpu=theirs[1],
    )


def _errors(found: Answer, exact: Answer) -> tuple[float, float]:
    """Errors of the output, and of the worst gradient in the largest value of its parameter's."""
    largest = max((float(one.abs().max()) for one in exact[1].values()), default=0.0)
    worst = 0.0
    for name, gradient in exact[1].items():
        # Parameters of almost no influence are all rounding.
        scale = max(float(gradient.abs().max()), 1e-4 * largest)
        worst = max(worst, float((found[1][name].double().cpu() - gradient).abs().max()) / scale)
    return relative(found[0], exact[0]), worst


def _wake(network: nn.Module) -> None:
    """Draw what starts at zero, so that everything before it shows in the output."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1 and not bool(parameter.any()):
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator)


def answered(network: nn.Module, inputs: list[Tensor]) -> Answer:
    """Return the output of a network and the gradients of its mean square, by parameter."""
    network.zero_grad(set_to_none=True)
    output: Tensor = network(*inputs)
    if output.requires_grad:
        output.square().mean().backward()
    found = {name: one.grad.clone() for name, one in network.named_parameters() if one.grad is not None}
    return output.detach(), found


def _at_full_size(task: Task, stem: str) -> None:
    network = built(stem, compact=False).to(task.device).train()
    width = 512 if stem == "co2if" else 0
    inputs = [one.to(task.device) for one in inputs_of(stem, FUSED_SIDE if stem in FUSION else SIDE, text_width=width)]
    figures: dict[str, float | int | None] = {"parameters": sum(one.numel() for one in network.parameters())}
    for name, enabled in (("float32", False), ("bfloat16", True)):
        step = partial(_step, network, inputs, task.device.type, enabled)
        step()
        figures[f"milliseconds_{name}"] = 1e3 * seconds(step, task.device, rounds=2)
        with spent(task.device) as once:
            step()
        figures[f"gibibytes_{name}"] = once.gibibytes
    task.note.line(f"{stem}, full size: forward and backward", **figures)


def _step(network: nn.Module, inputs: list[Tensor], kind: str, bfloat16: bool) -> None:
    network.zero_grad(set_to_none=True)
    with torch.autocast(kind, torch.bfloat16, enabled=bfloat16):
        loss = objective_of(network, inputs)
    loss.backward()


def objective_of(network: nn.Module, inputs: list[Tensor]) -> Tensor:
    """Return the training objective of a network that has one of its own, else the mean square of its output."""
    objective = getattr(network, "objective", None)
    if objective is None:
        output: Tensor = network(*inputs)
        return output.float().square().mean()
    target = smooth(len(inputs[0]), inputs[0].shape[1], inputs[1].shape[-1]).to(inputs[0].device)
    parts: dict[str, Tensor] = objective(*inputs, target, begun=True)
    return torch.stack(list(parts.values())).sum()
