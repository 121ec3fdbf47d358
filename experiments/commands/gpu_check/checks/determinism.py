"""The same seed twice: equal to the last bit, or which network is not and by how much."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from callbacks.transfer import SpectralTransfer
from experiments.commands.gpu_check.checks import scan
from experiments.commands.gpu_check.checks.co2if import batch_of, module_of
from experiments.commands.gpu_check.checks.networks import objective_of
from experiments.commands.gpu_check.checks.specimens import FUSION, RESTORATION, built, inputs_of
from experiments.commands.gpu_check.checks.transfer import drawn
from experiments.commands.gpu_check.measuring import exact_products
from experiments.commands.gpu_check.record import sentence
from experiments.commands.gpu_check.task import Task
from lightning_modules.networks.layers.selective_scan import Backend

STEPS = 3
QUICK_STEMS = ("sert", "bdt")


def check(task: Task) -> None:
    """Repeat everything once, with torch's deterministic algorithms where it has them."""
    exact_products()
    torch.backends.cudnn.benchmark = False
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            _all(task)
        finally:
            torch.use_deterministic_algorithms(False)
    messages = [str(one.message) for one in told if "deterministic" in str(one.message)]
    sentences = {message.split(" does not have")[0][:60] for message in messages}
    task.note.line("operations without a deterministic form", operations="; ".join(sorted(sentences)) or "none")


def _all(task: Task) -> None:
    backend: Backend = "triton" if task.device.type == "cuda" else "chunked"
    tensors = scan.drawn(scan.QUICK[0] if task.quick else scan.LENGTHS[1], task.device, second=True)
    _twice(task, f"scan by {backend}", lambda: scan.with_gradients(tensors, backend))
    proxy, guides, cube = (one.to(task.device) for one in drawn(32 if task.quick else 256, guides=1))
    transfer = SpectralTransfer(steps=3 if task.quick else 50)
    _twice(task, "transfer", lambda: [transfer.estimate(proxy, guides[0]).apply(cube)])
    side = 16 if task.quick else 64
    for stem in QUICK_STEMS if task.quick else [*RESTORATION, *FUSION]:
        _twice(task, f"{stem}: {STEPS} training steps", partial(_trained, task.device, stem, side))
    _twice(task, f"co2if: {STEPS} training steps with all losses", partial(_fused, task))


def _twice(task: Task, what: str, work: Callable[[], list[Tensor]]) -> None:
    try:
        first, second = ([one.detach().clone() for one in work()] for _ in range(2))
    except Exception as error:  # one that fails must not keep the others from being looked at
        task.note.line(what, False, reason=sentence(error))
        return
    apart = max(float((one.double() - two.double()).abs().max()) for one, two in zip(first, second, strict=True))
    equal = all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    task.note.line(what, equal, largest_difference=apart)


def _trained(device: torch.device, stem: str, side: int) -> list[Tensor]:
    network = built(stem, compact=True).to(device).train()
    width = FUSION["co2if"]["text_width"] if stem == "co2if" else 0
    inputs = [one.to(device) for one in inputs_of(stem, side, batch=2, text_width=width)]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    torch.manual_seed(1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        objective_of(network, inputs).backward()
        optimizer.step()
    return [one.detach() for one in network.parameters()]


def _fused(task: Task) -> list[Tensor]:
    module, batch = module_of(task), batch_of(task)
    optimizer = torch.optim.Adam(module.network.parameters(), lr=1e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        module.training_loss(batch).backward()
        optimizer.step()
    return [one.detach() for one in module.network.parameters()]
