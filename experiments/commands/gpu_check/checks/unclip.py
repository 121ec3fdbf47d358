"""unCLIP's guides with random weights: tiny as on a CPU, at the published size in every precision, offloaded too."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from experiments.commands.gpu_check.checks.random_unclip import FULL, TINY, RandomUnCLIPGuides, random_parts
from experiments.commands.gpu_check.checks.specimens import smooth
from experiments.commands.gpu_check.measuring import exact_products, relative, spent
from experiments.commands.gpu_check.record import sentence
from experiments.commands.gpu_check.task import Task
from hyperalign.seeding import generator_for

SIDE = 512
"""Of a proxy in pixels; the networks see it at 768, as they were published."""

STEPS = 20
TOLERANCE = 1e-2
"""Of a tiny guide in [0, 1] against a CPU's."""

WORDS = {"prompt": "sharp", "negative_prompt": "blur"}


def check(task: Task) -> None:
    """Draw tiny guides, then full-size ones."""
    exact_products()
    _tiny(task)
    if task.quick:
        return
    with spent(task.device) as building:
        parts = random_parts(FULL, torch.bfloat16, task.device)
    numbers = sum(one.numel() for module in parts.modules.values() for one in module.parameters())
    task.note.line("full size: built", parameters=numbers, seconds=building.seconds, gibibytes=building.gibibytes)
    draws: list[tuple[str, torch.dtype, dict[str, Any], int]] = [
        ("bfloat16", torch.bfloat16, {}, 1),
        ("bfloat16, two guides at once", torch.bfloat16, {"guides_at_once": 2}, 2),
        ("float16", torch.float16, {}, 1),
        ("bfloat16, offloaded", torch.bfloat16, {"offload": True}, 1),
    ]
    for name, dtype, settings, guides in draws:
        parts.dtype, parts.offload = dtype, bool(settings.get("offload"))
        _drawn(task, f"full size: {name}", partial(RandomUnCLIPGuides, parts, steps=STEPS, **WORDS, **settings), guides)


def _tiny(task: Task) -> None:
    image = smooth(1, 3, 40)[0]
    steps = 4
    there = RandomUnCLIPGuides(random_parts(TINY, torch.float32, torch.device("cpu")), steps=steps, **WORDS)
    expected = there(image, 2, generator_for("gpu-check unclip"))
    for name, dtype, offload in (
        ("float32", torch.float32, False),
        ("float32, offloaded", torch.float32, True),
        ("bfloat16", torch.bfloat16, False),
    ):
        parts = random_parts(TINY, torch.float32, torch.device("cpu"))
        parts.dtype, parts.offload = dtype, offload
        guides = RandomUnCLIPGuides(parts, steps=steps, guides_at_once=2, **WORDS)
        found = guides(image.to(task.device), 2, generator_for("gpu-check unclip"))
        difference = relative(found, expected)
        holds = difference <= TOLERANCE if dtype is torch.float32 else bool(torch.isfinite(found).all())
        where = next(parts.modules["unet"].parameters()).device.type
        lies = "cpu" if offload else task.device.type
        holds = holds and (found.device.type, where) == (task.device.type, lies)
        task.note.line(f"tiny: {name}", holds, largest_difference=difference, unet_left_on=where)


def _drawn(task: Task, what: str, build: Any, count: int) -> None:  # noqa: ANN401 - makes guides
    image = smooth(1, 3, SIDE)[0].to(task.device)
    try:
        guides = build()
        with spent(task.device) as first:
            guides(image, count, generator_for("gpu-check unclip"))
        with spent(task.device) as again:
            found: Tensor = guides(image, count, generator_for("gpu-check unclip"))
    except Exception as error:  # one that fails must not keep the others from being looked at
        task.note.line(what, False, reason=sentence(error))
        return
    task.note.line(
        what,
        bool(torch.isfinite(found).all()) and found.shape == (count, 3, SIDE, SIDE),
        seconds_a_guide=again.seconds / count,
        seconds_at_first=first.seconds,
        gibibytes=again.gibibytes,
    )
