"""A training step of CO2IF with all its losses at the paper's patch: does it learn, how long, how much memory."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from experiments.commands.gpu_check.checks.specimens import FUSION, inputs_of, smooth
from experiments.commands.gpu_check.measuring import spent
from experiments.commands.gpu_check.task import Task
from lightning_modules import CO2IF, ClipTowers, FusionModule

PATCH, BATCH, STEPS = 128, 4, 12
"""`co2if/cave`'s patch and batch."""

QUICK_PATCH, QUICK_BATCH, QUICK_STEPS = 16, 2, 3
CAPTIONS = ("a red balloon on a table", "coloured threads on a card", "a toy of plush", "peppers in a bowl")
PRECISIONS: tuple[tuple[str, torch.dtype | None], ...] = (("float32", None), ("bfloat16", torch.bfloat16))


def check(task: Task) -> None:
    """Take the same steps in both precisions."""
    last = {name: _trained(task, name, dtype) for name, dtype in PRECISIONS}
    apart = abs(last["bfloat16"] - last["float32"]) / max(abs(last["float32"]), 1e-12)
    task.note.line("error after the steps, bfloat16 beside float32", apart < 0.1, relative_difference=apart)


def module_of(task: Task) -> FusionModule:
    """Build CO2IF with random towers: CLIP's own architecture, or a tiny one where quickness is wanted."""
    torch.manual_seed(0)
    model = "tiny-random" if task.quick else "ViT-B-32"
    network = CO2IF(**(FUSION["co2if"] if task.quick else {}))
    towers = ClipTowers(model, pretrained=None, cache=str(task.folder / "clip"))
    return FusionModule(network, towers).to(task.device).train()


def batch_of(task: Task) -> dict[str, Any]:
    """Draw a batch of patches with captions."""
    side, size = (QUICK_PATCH, QUICK_BATCH) if task.quick else (PATCH, BATCH)
    low, image = inputs_of("co2if", side, size)
    tensors: dict[str, Tensor] = {"observation": low, "multispectral": image, "target": smooth(size, 31, side)}
    names = [f"scene{number}" for number in range(size)]
    placed = {key: tensor.to(task.device) for key, tensor in tensors.items()}
    return {**placed, "name": names, "caption": list(CAPTIONS[:size])}


def _trained(task: Task, name: str, dtype: torch.dtype | None) -> float:
    """Take some steps and return the mean absolute error after them."""
    module, batch = module_of(task), batch_of(task)
    steps = QUICK_STEPS if task.quick else STEPS
    optimizer = torch.optim.Adam(module.network.parameters(), lr=1e-4)
    losses: list[Tensor] = []

    def step() -> None:
        with torch.autocast(task.device.type, dtype, enabled=dtype is not None):
            loss = module.training_loss(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*trainer.*")
        step()
        with spent(task.device) as stepping:
            for _ in range(steps - 1):
                step()
    first, last = float(losses[0]), float(losses[-1])
    with torch.no_grad(), torch.autocast(task.device.type, dtype, enabled=dtype is not None):
        images, whole = module.inputs(batch)
        error = float((module(*images, *whole).float() - batch["target"]).abs().mean())
    task.note.line(
        f"{steps} training steps in {name}",
        math.isfinite(last) and last < first,
        milliseconds_a_step=1e3 * stepping.seconds / (steps - 1),
        patches_a_second=len(batch["name"]) * (steps - 1) / stepping.seconds,
        gibibytes=stepping.gibibytes,
        first_loss=first,
        last_loss=last,
        error=error,
    )
    return error
