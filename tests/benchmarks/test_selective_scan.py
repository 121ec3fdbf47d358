"""Speed and memory of the chunked selective scan: ratios to the step-by-step reference, and the longest sequence."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan import Backend, selective_scan

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
CHANNELS, STATES, LENGTH = 64, 16, 16_384
SSUMAMBA_LENGTH = 31 * 64 * 64

PEAK_PROGRAM = """
import json, resource, sys
import torch
from tests.benchmarks.test_selective_scan import pass_through, sequence
torch.set_num_threads(1)
backend, length = sys.argv[1], int(sys.argv[2])
pass_through(backend, sequence(64))
arguments = sequence(length)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pass_through(backend, arguments)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
json.dump({"of_the_pass": (after - before) / 2**10, "of_the_process": after / 2**10}, sys.stdout)
"""


class ScanBenchmark(Protocol):
    """The part of pytest-benchmark's untyped fixture that is used here."""

    stats: Mapping[str, float]
    extra_info: dict[str, float]

    def pedantic(self, target: Callable[[], object], *, rounds: int = 1, warmup_rounds: int = 0) -> object: ...


def sequence(length: int) -> list[Tensor]:
    """u, delta, A, B, C, D of one member with 64 channels and 16 states, as Mamba starts them."""
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(1, CHANNELS, length, generator=generator)
    delta = torch.rand(1, CHANNELS, length, generator=generator).mul(4.6).sub(6.9).exp()
    matrices = [torch.randn(1, STATES, length, generator=generator) for _ in range(2)]
    rates = -torch.arange(1.0, STATES + 1).repeat(CHANNELS, 1)
    return [tensor.requires_grad_() for tensor in (u, delta, rates, *matrices, torch.ones(CHANNELS))]


def pass_through(backend: Backend, arguments: list[Tensor]) -> tuple[Tensor, ...]:
    """Forward and backward pass; the gradients."""
    return torch.autograd.grad(selective_scan(*arguments, backend=backend).sum(), arguments)


def peak(backend: Backend, length: int) -> dict[str, float]:
    """Peak memory in MiB of a process that does one pass, and how much of it the pass added to the arguments."""
    found = subprocess.run(
        [sys.executable, "-c", PEAK_PROGRAM, backend, str(length)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=True,
    )
    numbers: dict[str, float] = json.loads(found.stdout)
    return numbers


@pytest.mark.benchmark(group="selective-scan")
@pytest.mark.parametrize("threads", [1, 2])
def test_chunked_scan_is_ten_times_faster_than_the_reference(benchmark: ScanBenchmark, threads: int) -> None:
    if threads > 1 and os.getloadavg()[0] > (os.cpu_count() or 1) + 1:
        pytest.skip("others use this machine: its threads would wait for each other and not for the scan")
    torch.set_num_threads(threads)
    arguments = sequence(LENGTH)
    pass_through("chunked", arguments)
    slow = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        pass_through("reference", arguments)
        slow = min(slow, time.perf_counter() - start)
    benchmark.pedantic(lambda: pass_through("chunked", arguments), rounds=15)
    ratio = slow / benchmark.stats["min"]
    benchmark.extra_info.update(reference_seconds=slow, ratio=ratio, threads=threads)
    log.info(
        "selective scan of %d, %d threads: %.0f ms, reference %.0f ms (ratio %.1f)",
        *(LENGTH, threads, 1e3 * benchmark.stats["min"], 1e3 * slow, ratio),
    )
    assert ratio >= 10


@pytest.mark.benchmark(group="selective-scan-memory")
def test_chunked_scan_takes_less_than_a_fifth_of_the_memory(benchmark: ScanBenchmark) -> None:
    def measure() -> dict[str, float]:
        return {backend: peak(backend, LENGTH)["of_the_pass"] for backend in ("reference", "chunked")}

    found = benchmark.pedantic(measure)
    assert isinstance(found, dict)
    ratio = found["reference"] / found["chunked"]
    benchmark.extra_info.update(reference_mib=found["reference"], chunked_mib=found["chunked"], ratio=ratio)
    log.info("peak memory of a scan of %d: %.0f MiB, reference %.0f MiB", LENGTH, found["chunked"], found["reference"])
    assert ratio > 5


@pytest.mark.benchmark(group="selective-scan-memory")
def test_sequence_of_ssumamba_runs_under_two_gibibytes(benchmark: ScanBenchmark) -> None:
    """31 bands of 64 x 64 pixels as one sequence, Python and torch included."""
    found = benchmark.pedantic(lambda: peak("chunked", SSUMAMBA_LENGTH))
    assert isinstance(found, dict)
    benchmark.extra_info.update(process_mib=found["of_the_process"], pass_mib=found["of_the_pass"])
    log.info("scan of %d: process %.0f MiB", SSUMAMBA_LENGTH, found["of_the_process"])
    assert found["of_the_process"] < 2048
