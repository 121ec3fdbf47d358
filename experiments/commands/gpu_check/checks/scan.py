"""The selective scan: every backend against float64, forward and backward, and their times by length."""

from __future__ import annotations

import importlib.util
from functools import partial

import torch
from torch import Tensor

from experiments.commands.gpu_check.measuring import relative, seconds, spent
from experiments.commands.gpu_check.record import sentence
from experiments.commands.gpu_check.task import Task
from hyperalign.seeding import generator_for
from lightning_modules.networks.layers.selective_scan import Backend, SecondInput, selective_scan

CHANNELS, STATES = 64, 16
LENGTHS = (4096, 16384, 65536, 126976)
"""The last is SSUMamba's: 31 bands of 64 x 64 pixels as one sequence."""

QUICK = (64, 100)
TOLERANCE = 1e-4
"""Of values and gradients, to the largest of each, against float64."""


def check(task: Task) -> None:
    """Compare and time the backends that run here."""
    backends = _backends(task)
    first, *_ = lengths = QUICK if task.quick else LENGTHS
    for second in (False, True):
        for reverse in (False, True):
            _compare(task, first, backends, second=second, reverse=reverse)
    _compare(task, lengths[-1], backends, second=True, reverse=False)
    for length in lengths:
        _time(task, length, backends)


def _backends(task: Task) -> list[Backend]:
    """The backends of this device; a line says which one is missing."""
    if task.device.type == "cpu":
        return ["chunked", "reference"]
    found: list[Backend] = ["chunked"]
    packages: list[tuple[Backend, str]] = [("triton", "triton"), ("mamba_ssm", "mamba_ssm")]
    for name, package in packages:
        if importlib.util.find_spec(package) is None:
            task.note.line(name, reason=f"the package {package} is not installed")
        else:
            found.append(name)
    return found


def drawn(length: int, device: torch.device, *, second: bool, batch: int = 1, channels: int = CHANNELS) -> list[Tensor]:
    """Draw the tensors of a scan: u, delta, A, B, C, and with a second input its delta and B.

    Args:
        length: positions.
        device: where they are wanted.
        second: whether there is a second input.
        batch: sequences.
        channels: of each.
    """
    generator = generator_for("gpu-check scan", length)
    row, column = (batch, channels, length), (batch, STATES, length)
    tensors = [
        torch.randn(row, generator=generator),
        torch.rand(row, generator=generator) * 0.1,
        -torch.rand(channels, STATES, generator=generator) - 0.1,
        torch.randn(column, generator=generator),
        torch.randn(column, generator=generator),
    ]
    if second:
        tensors += [torch.rand(row, generator=generator) * 0.1, torch.randn(column, generator=generator)]
    return [tensor.to(device).requires_grad_() for tensor in tensors]


def scanned(tensors: list[Tensor], backend: Backend, reverse: bool = False) -> Tensor:
    """Scan what `drawn` returned."""
    second = SecondInput(tensors[5], tensors[6]) if len(tensors) > 5 else None
    return selective_scan(*tensors[:5], second=second, reverse=reverse, backend=backend)


def with_gradients(tensors: list[Tensor], backend: Backend, reverse: bool = False) -> list[Tensor]:
    """Return the output of a scan and the gradients of all its tensors, for a fixed gradient of the output."""
    output = scanned(tensors, backend, reverse)
    sent = torch.cos(torch.arange(output.numel(), device=output.device, dtype=output.dtype)).view(output.shape)
    return [output, *torch.autograd.grad(output, tensors, sent)]


def _compare(task: Task, length: int, backends: list[Backend], *, second: bool, reverse: bool) -> None:
    """Hold every backend against the plain operations in float64."""
    tensors = drawn(length, task.device, second=second)
    exact = [tensor.detach().double().requires_grad_() for tensor in tensors]
    expected = with_gradients(exact, "chunked", reverse)
    what = f"L {length}{', second input' if second else ''}{', reverse' if reverse else ''}"
    for backend in backends:
        try:
            found = with_gradients(tensors, backend, reverse)
        except Exception as error:  # a backend that fails must not keep the others from being looked at
            task.note.line(f"{backend}: {what}", False, reason=sentence(error))
            continue
        forward, *backward = [relative(one, other) for one, other in zip(found, expected, strict=True)]
        worst = max(backward)
        task.note.line(
            f"{backend}: {what}", max(forward, worst) <= TOLERANCE, error_forward=forward, error_backward=worst
        )


def _time(task: Task, length: int, backends: list[Backend]) -> None:
    tensors = drawn(length, task.device, second=False)
    plain = [tensor.detach() for tensor in tensors]
    best: dict[str, float] = {}
    for backend in backends:
        if backend == "reference" and not task.quick:
            continue
        try:
            both = partial(with_gradients, tensors, backend)
            both()
            best[backend] = seconds(both, task.device)
            forward = seconds(partial(scanned, plain, backend), task.device)
            with spent(task.device) as once:
                both()
        except Exception as error:  # as above
            task.note.line(f"{backend}: time of L {length}", False, reason=sentence(error))
            continue
        task.note.line(
            f"{backend}: time of L {length}",
            milliseconds_forward=1e3 * forward,
            milliseconds_forward_and_backward=1e3 * best[backend],
            gibibytes=once.gibibytes,
            times_faster_than_chunked=best["chunked"] / best[backend] if "chunked" in best else None,
        )
