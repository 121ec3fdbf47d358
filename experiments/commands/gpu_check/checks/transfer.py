"""The spectral transfer at its published settings: every part of one guide, several guides at once, and as on a CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from callbacks.transfer import LossWeights, Retrieval, SpectralTransfer, TransportOperator
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.estimation import TransportEstimation
from callbacks.transfer.exact_search import gpu_available
from callbacks.transfer.refinement import refine
from callbacks.transfer.retrieval import ProxyIndex
from experiments.commands.gpu_check.measuring import relative, spent
from experiments.commands.gpu_check.task import Task
from hyperalign.seeding import generator_for

SIDE, BANDS, STEPS = 512, 31, 200
QUICK_SIDE, QUICK_STEPS = 32, 3
AT_ONCE = (1, 2, 4)
ALONE_TOLERANCE = 1e-3
"""Of a synthesised cube in [0, 1]: a batch may sum in another order, 200 steps magnify that."""
CPU_DECIBELS = 40.0
"""Likeness of the cubes synthesised on the device and on a CPU."""


def check(task: Task) -> None:
    """Measure the parts at full size and compare small ones."""
    _as_on_a_cpu(task)
    side, steps = (QUICK_SIDE, QUICK_STEPS) if task.quick else (SIDE, STEPS)
    proxy, guides, cube = (tensor.to(task.device) for tensor in drawn(side))
    index, descriptors = _indexed(task, proxy)
    matched = [_matched(task, index, descriptors, guide, number) for number, guide in enumerate(guides)]
    alone: list[Tensor] = []
    for count in AT_ONCE:
        transport = _estimated(task, proxy, guides[:count], matched[:count], steps)
        synthesised = [operator.apply(cube) for operator in transport]
        alone += synthesised if count == 1 else []
        difference = relative(synthesised[0], alone[0])
        task.note.line(
            f"{count} at once: the first guide beside itself alone",
            difference <= ALONE_TOLERANCE,
            largest_difference=difference,
        )


def drawn(side: int, guides: int = max(AT_ONCE), bands: int = BANDS) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a proxy's RGB `3 x H x W`, guides of it `n x 3 x H x W` and its cube `C x H x W`, smooth and in [0, 1].

    Args:
        side: H and W.
        guides: how many.
        bands: of the cube.
    """
    generator = generator_for("gpu-check transfer", side)
    place = torch.arange(side) / side
    waves = torch.zeros(bands, side, side)
    for frequency in (2, 5, 11, 23):
        phase = 2 * math.pi * torch.rand(2, bands, 1, 1, generator=generator)
        rows = torch.sin(2 * math.pi * frequency * place[:, None] + phase[0])
        waves += rows * torch.cos(2 * math.pi * frequency * place + phase[1]) / frequency
    cube = (0.5 + 0.35 * waves).clamp(0, 1)
    proxy = torch.stack([part.mean(0) for part in cube.tensor_split(3)]).flip(0).contiguous()
    made = [proxy.roll((3 + number, 5 - number), (1, 2)) * (1.03 - 0.02 * number) for number in range(guides)]
    return proxy, torch.stack(made).clamp(0, 1), cube


def _as_on_a_cpu(task: Task) -> None:
    """Run a small transfer on both devices."""
    proxy, guides, cube = drawn(QUICK_SIDE if task.quick else 96, guides=1)
    transfer = SpectralTransfer(steps=QUICK_STEPS if task.quick else 60)
    here = transfer.estimate(proxy.to(task.device), guides[0].to(task.device)).apply(cube.to(task.device)).cpu()
    there = transfer.estimate(proxy, guides[0]).apply(cube)
    likeness = _decibels(here, there)
    task.note.line("a small cube as on a CPU", likeness >= CPU_DECIBELS, decibels=likeness)


def _decibels(one: Tensor, other: Tensor) -> float:
    error = float((one.double() - other.double()).square().mean())
    return 200.0 if error == 0 else -10 * math.log10(error)


def _indexed(task: Task, proxy: Tensor) -> tuple[ProxyIndex, PatchDescriptors]:
    with spent(task.device) as building:
        descriptors = PatchDescriptors(proxy)
        index = Retrieval().index(descriptors)
    task.note.line("index", engine=index.engine, faiss_on_the_gpu=_faiss_on_the_gpu(), seconds=building.seconds)
    return index, descriptors


def _faiss_on_the_gpu() -> bool:
    try:
        import faiss
    except ImportError:
        return False
    return gpu_available(faiss)


def _matched(
    task: Task, index: ProxyIndex, proxy: PatchDescriptors, guide_rgb: Tensor, number: int
) -> tuple[Tensor, Tensor]:
    """Candidates and distances of one guide, K x 1 x H x W each."""
    transfer = SpectralTransfer()
    with spent(task.device) as retrieval:
        guide = PatchDescriptors(guide_rgb)
        seeds = index.search(guide, transfer.seeds)
    with spent(task.device) as refinement:
        found = refine(guide, proxy, seeds, transfer.refinement_radius, transfer.candidates)
    task.note.line(
        f"guide {number}: matched",
        seconds_retrieval=retrieval.seconds,
        seconds_refinement=refinement.seconds,
        gibibytes=max(retrieval.gibibytes or 0.0, refinement.gibibytes or 0.0) or None,
    )
    shape = (transfer.candidates, 1, *guide_rgb.shape[1:])
    return found[0].view(shape), found[1].view(shape)


def _estimated(
    task: Task, proxy: Tensor, guides: Tensor, matched: list[tuple[Tensor, Tensor]], steps: int
) -> list[TransportOperator]:
    """Optimise guides together."""
    settings, count = SpectralTransfer().estimation, len(guides)
    with spent(task.device) as tables:
        candidates, distances = (torch.cat([pair[axis] for pair in matched], 1) for axis in (0, 1))
        pixels = guides[0, 0].numel()
        state = TransportEstimation(
            proxy, guides.transpose(0, 1).contiguous(), candidates, distances, LossWeights(), settings, pixels
        )
    state.step()
    with spent(task.device) as stepping:
        for _ in range(steps - 1):
            state.step()
    floor = _bytes_of_a_step(pixels * count, settings.kernel_size**2, candidates.shape[0])
    begin, end = float(state.history[0].mean()), float(state.objective().mean())
    task.note.line(
        f"{count} at once: {steps} steps",
        begin > end,
        seconds_a_guide=(tables.seconds + stepping.seconds) / count,
        milliseconds_a_step=1e3 * stepping.seconds / (steps - 1),
        gigabytes_a_second_of_the_floor=floor * (steps - 1) / stepping.seconds / 1e9,
        objective_before=begin,
        objective_after=end,
        gibibytes=stepping.gibibytes,
    )
    return state.operators()


def _bytes_of_a_step(pixels: int, taps: int, candidates: int) -> int:
    """What one step cannot avoid moving in float32: logits and both moments in and out, weights and tables once."""
    return 4 * pixels * (6 * (candidates + taps) + taps + 6 * candidates)
