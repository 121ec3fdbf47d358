"""Speed of the spectral transfer: ratio to the plain autograd form in the same process, and distance from the floor."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import pytest
import torch
from torch import Tensor

from callbacks.transfer import LossWeights, Retrieval, SpectralTransfer
from callbacks.transfer.compiled.estimation import CompiledEstimation
from callbacks.transfer.compiled.refinement import compiled_nearest_of, compiled_refine
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.estimation import EstimationSettings, TransportEstimation
from callbacks.transfer.refinement import refine
from hyperalign.compilation import compiler
from tests.callbacks.transfer.plain import PlainEstimation
from tests.callbacks.transfer.samples import smooth_cube

log = logging.getLogger(__name__)
KEEP, TAPS = 16, 49
Result = TypeVar("Result")
needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")
BACKENDS = ["torch", pytest.param("compiled", marks=needs_compiler)]


class Benchmark(Protocol):
    """The part of pytest-benchmark's untyped fixture that is used here."""

    stats: Mapping[str, float]
    extra_info: dict[str, float]

    def pedantic(
        self,
        target: Callable[..., Result],
        args: tuple[object, ...] = (),
        *,
        rounds: int = 1,
        warmup_rounds: int = 0,
    ) -> Result: ...


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Fastest of some runs: what the machine can do when nothing else uses it."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def problem(size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Proxy, guide, candidates near the true place (as retrieval finds them) and distances."""
    generator = torch.Generator().manual_seed(0)
    proxy = smooth_cube(3, size, size, seed=1)
    offsets = torch.randint(-4, 5, (2, KEEP, size, size), generator=generator)
    y = (torch.arange(size)[:, None] + offsets[0]).clamp(0, size - 1)
    x = (torch.arange(size)[None] + offsets[1]).clamp(0, size - 1)
    return proxy, proxy.roll((1, 2), (1, 2)), y * size + x, torch.rand(KEEP, size, size, generator=generator)


def estimation(size: int, backend: str) -> TransportEstimation | CompiledEstimation:
    proxy, guide, candidates, distances = problem(size)
    kind = CompiledEstimation if backend == "compiled" else TransportEstimation
    return kind(proxy, guide[:, None], candidates[:, None], distances[:, None], LossWeights(), EstimationSettings())


def bytes_per_iteration(pixels: int) -> int:
    """What one step cannot avoid moving in float32, however it is written.

    Logits and two Adam moments are read and written (6), the kernel weights are read once more because the synthesised
    image must exist before its gradient does (1 of 49), and the constant candidate table (5 values and the distance)
    is read once, the new aggregation being formed while the old one is still at hand.
    """
    return 4 * pixels * (6 * (KEEP + TAPS) + TAPS + 6 * KEEP)


def copy_bandwidth() -> float:
    """Bytes a second that a copy reads and writes, far beyond the caches."""
    source = torch.ones(2**26)
    target = torch.empty_like(source)
    return 8 * source.numel() / seconds(lambda: target.copy_(source), 3)


@pytest.mark.benchmark(group="transfer")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [128, 256])
def test_iteration_is_much_faster_than_plain_autograd(benchmark: Benchmark, size: int, backend: str) -> None:
    wanted = {"torch": {128: 5, 256: 8}, "compiled": {128: 8, 256: 14}}[backend][size]
    proxy, guide, candidates, distances = problem(size)
    plain = PlainEstimation(proxy, guide, candidates, distances, LossWeights(), EstimationSettings())
    fast = estimation(size, backend)
    fast.step()
    plain.step()
    slow = seconds(plain.step, 3)
    benchmark.pedantic(fast.step, rounds=8)
    floor = bytes_per_iteration(size**2) / copy_bandwidth()
    benchmark.extra_info.update(
        plain_seconds=slow, ratio=slow / benchmark.stats["min"], floor_seconds=floor, threads=torch.get_num_threads()
    )
    log.info(
        "%d x %d, %s, %d threads: step %.1f ms, plain %.0f ms (ratio %.1f), floor %.1f ms",
        *(size, size, backend, torch.get_num_threads(), 1e3 * benchmark.stats["min"]),
        *(1e3 * slow, slow / benchmark.stats["min"], 1e3 * floor),
    )
    assert slow / benchmark.stats["min"] >= wanted


@pytest.mark.benchmark(group="transfer")
def test_applying_the_transport(benchmark: Benchmark) -> None:
    operator = estimation(256, "torch").operators()[0]
    cube = torch.rand(31, 256, 256)
    benchmark.pedantic(operator.apply, (cube,), rounds=3, warmup_rounds=1)


def advance(state: TransportEstimation | CompiledEstimation, steps: int) -> None:
    for _ in range(steps):
        state.step()


def whole_stage(size: int, bands: int, steps: int, backend: str) -> dict[str, float]:
    """Seconds of every part of one guide with published settings, recall and peak memory of the process in GiB.

    The processor's seconds, of all threads, are beside the clock's: what others do on the machine changes them less.
    """
    compiled = backend == "compiled"
    proxy_rgb = smooth_cube(3, size, size, seed=1)
    guide_rgb = (proxy_rgb.roll((3, 5), (1, 2)) * torch.tensor([1.04, 0.98, 0.96]).view(3, 1, 1)).clamp(0, 1)
    cube = torch.rand(bands, size, size)
    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[[], Result]) -> Result:
        start, busy = time.perf_counter(), time.process_time()
        result = function()
        spent[name], spent[f"{name}_cpu"] = time.perf_counter() - start, time.process_time() - busy
        return result

    proxy, guide = timed("descriptors", lambda: (PatchDescriptors(proxy_rgb), PatchDescriptors(guide_rgb)))
    index = Retrieval().index(proxy, compiled_nearest_of if compiled else None)
    seeds = timed("retrieval", lambda: index.search(guide, 16))
    refined = compiled_refine if compiled else refine
    candidates, distances = timed("refinement", lambda: refined(guide, proxy, seeds, 1, KEEP))
    shape = (KEEP, 1, size, size)
    state = timed(
        "tables",
        lambda: (CompiledEstimation if compiled else TransportEstimation)(
            proxy_rgb, guide_rgb[:, None], candidates.view(shape), distances.view(shape), LossWeights(),
            SpectralTransfer().estimation,
        ),
    )  # fmt: skip
    timed("steps", lambda: advance(state, steps))
    timed("transfer", lambda: state.operators()[0].apply(cube))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {**spent, "recall": index.recall, "peak_gib": peak}


@pytest.mark.benchmark(group="transfer-whole-stage")
@pytest.mark.parametrize("backend", BACKENDS)
def test_whole_stage_at_512(benchmark: Benchmark, backend: str) -> None:
    """All parts of one guide at 512 x 512 x 31 with the published settings."""
    found = benchmark.pedantic(whole_stage, (512, 31, 200, backend), rounds=1)
    found["floor_of_steps"] = 200 * bytes_per_iteration(512 * 512) / copy_bandwidth()
    benchmark.extra_info.update(found)
    figures = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
    log.info("512 x 512 x 31, %s, %d threads, seconds: %s", backend, torch.get_num_threads(), figures)
    assert found["recall"] >= 0.98
    assert found["peak_gib"] < 4
