"""Every training-free method on the device as on a CPU, and its time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

import lightning_modules
from experiments.commands.gpu_check.checks.specimens import smooth
from experiments.commands.gpu_check.measuring import exact_products, spent
from experiments.commands.gpu_check.record import sentence
from experiments.commands.gpu_check.task import Task
from hyperalign.seeding import generator_for
from lightning_modules.solvers import SolverResult

Solve = Callable[[Tensor], SolverResult]

RESTORERS = ("RCTV", "WhitenedRCTV", "LRTV", "LRTDTV", "LRTDTVG", "Enhanced3DTV", "LRMR")
FILLERS = ("BandInterpolation",)
"""Those that fill missing bands."""
FUSERS = ("GSA", "FUSE", "CNMF", "ICCV15")
SIDE, QUICK_SIDE = 64, 32
LONG = 4.0
"""Seconds above which a method is not run again to be timed without what a first run takes."""

DECIBELS = 0.1
"""By which the PSNR on the device may differ from a CPU's: cut ranks and random starts magnify rounding."""


def check(task: Task) -> None:
    """Run all of them on both devices."""
    exact_products()
    clean = smooth(1, 31, QUICK_SIDE if task.quick else SIDE)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator_for("gpu-check noise"))
    low = torch.nn.functional.avg_pool2d(clean, 4)
    image = torch.einsum("kc,bchw->bkhw", torch.eye(3).repeat_interleave(11, 1)[:, :31] / 11, clean)
    for name in RESTORERS:
        restorer: lightning_modules.TrainingFree = _built(name)
        _compare(task, name, restorer.solve, noisy, clean)
    holed = clean.clone()
    holed[:, ::3] = 0
    for name in FILLERS:
        filler: lightning_modules.TrainingFree = _built(name)
        _compare(task, name, filler.solve, holed, clean)
    for name in FUSERS:
        fuser: lightning_modules.TrainingFreeFusion = _built(name)
        _compare(task, name, partial(_fused, fuser, image), low, clean)
    _hir_diff(task, noisy[..., :32, :32].contiguous())


def _built(name: str) -> Any:  # noqa: ANN401 - a method of either kind
    return getattr(lightning_modules, name)()


def _fused(solver: lightning_modules.TrainingFreeFusion, image: Tensor, cube: Tensor) -> SolverResult:
    return solver.solve(cube, image.to(cube.device), phase=1.5)


def _compare(task: Task, name: str, solve: Solve, observed: Tensor, clean: Tensor) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with spent(task.device) as first:
                found = solve(observed.to(task.device)).restored
            here = first
            if first.seconds < LONG:
                with spent(task.device) as here:
                    solve(observed.to(task.device))
            with spent(torch.device("cpu")) as there:
                expected = solve(observed).restored
    except Exception as error:  # one that fails must not keep the others from being looked at
        task.note.line(name, False, reason=sentence(error))
        return
    ours, theirs = _psnr(found.cpu(), clean), _psnr(expected, clean)
    task.note.line(
        name,
        abs(ours - theirs) <= DECIBELS and found.device.type == task.device.type,
        decibels=ours,
        decibels_on_a_cpu=theirs,
        seconds=here.seconds,
        seconds_at_first=first.seconds,
        seconds_on_a_cpu=there.seconds,
    )


def _psnr(restored: Tensor, clean: Tensor) -> float:
    error = float((restored.double() - clean.double()).square().mean())
    return 200.0 if error == 0 else -10 * math.log10(error)


def _hir_diff(task: Task, noisy: Tensor) -> None:
    """HIR-Diff with random weights of a small denoiser: it needs weights to restore, but none to run."""
    torch.manual_seed(0)
    small: dict[str, Any] = {"width": 16, "multipliers": (1, 2), "groups": 4} if task.quick else {}
    network = lightning_modules.HIRDiffUNet(**small)
    solver = lightning_modules.HIRDiff(network=network, steps=3)
    try:
        expected = solver.solve(noisy).restored
        with spent(task.device) as here:
            found = solver.to(task.device).solve(noisy.to(task.device)).restored.cpu()
    except Exception as error:  # as above
        task.note.line("HIRDiff", False, reason=sentence(error))
        return
    difference = float((found - expected).abs().max())
    finite = bool(torch.isfinite(found).all())
    task.note.line(
        "HIRDiff, 3 steps", finite and difference < 0.05, largest_difference=difference, seconds=here.seconds
    )
