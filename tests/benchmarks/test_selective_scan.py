"""Speed and memory of the chunked selective scan: ratios to the step-by-step reference, and the longest sequence."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
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

SPEED_PROGRAM = """
import json, sys, time
import torch
from tests.benchmarks.test_selective_scan import LENGTH, pass_through, sequence

def seconds(backend):
    start = time.perf_counter()
    pass_through(backend, arguments)
    return time.perf_counter() - start

torch.set_num_threads(int(sys.argv[1]))
arguments = sequence(LENGTH)
pass_through("chunked", arguments)
slow, fast = [], []
for _ in range(3):
    slow.append(seconds("reference"))
    fast += [seconds("chunked") for _ in range(6)]
json.dump({"reference": min(slow), "chunked": min(fast)}, sys.stdout)
"""

# The kernel's own counter, set back before the pass: resource.ru_maxrss begins with the peak of the parent process.
PEAK_PROGRAM = """
import json, sys
from pathlib import Path
import torch
from tests.benchmarks.test_selective_scan import pass_through, sequence

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10

torch.set_num_threads(1)
backend, length = sys.argv[1], int(sys.argv[2])
pass_through(backend, sequence(64))
arguments = sequence(length)
Path("/proc/self/clear_refs").write_text("5")
before = peak()
pass_through(backend, arguments)
after = peak()
json.dump({"of_the_pass": after - before, "of_the_process": after}, sys.stdout)
"""


class ScanBenchmark(Protocol):
    """The part of pytest-benchmark's untyped fixture that is used here."""

    extra_info: dict[str, float]

    def pedantic(self, target: Callable[[], dict[str, float]]) -> dict[str, float]: ...


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


def measured(program: str, *arguments: object, threads: int = 1) -> dict[str, float]:
    """What a program prints, run in a process of its own.

    Its threads sleep where they wait for each other: on a machine that others use as well, threads that wait busily
    keep each other from working, and two of them are twenty times slower than one.
    """
    found = subprocess.run(
        [sys.executable, "-c", program, *(str(argument) for argument in arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        check=True,
    )
    numbers: dict[str, float] = json.loads(found.stdout)
    return numbers


@pytest.mark.benchmark(group="selective-scan")
@pytest.mark.parametrize("threads", [1, 2])
def test_chunked_scan_is_ten_times_faster_than_the_reference(benchmark: ScanBenchmark, threads: int) -> None:
    found = benchmark.pedantic(lambda: measured(SPEED_PROGRAM, threads, threads=threads))
    ratio = found["reference"] / found["chunked"]
    benchmark.extra_info.update({f"{name}_seconds": value for name, value in found.items()}, ratio=ratio)
    log.info(
        "selective scan of %d, %d threads: %.0f ms, reference %.0f ms (ratio %.1f)",
        *(LENGTH, threads, 1e3 * found["chunked"], 1e3 * found["reference"], ratio),
    )
    assert ratio >= 10


@pytest.mark.benchmark(group="selective-scan-memory")
def test_chunked_scan_takes_less_than_a_fifth_of_the_memory(benchmark: ScanBenchmark) -> None:
    def measure() -> dict[str, float]:
        backends = ("reference", "chunked")
        return {backend: measured(PEAK_PROGRAM, backend, LENGTH)["of_the_pass"] for backend in backends}

    found = benchmark.pedantic(measure)
    ratio = found["reference"] / found["chunked"]
    benchmark.extra_info.update(reference_mib=found["reference"], chunked_mib=found["chunked"], ratio=ratio)
    log.info("peak memory of a scan of %d: %.0f MiB, reference %.0f MiB", LENGTH, found["chunked"], found["reference"])
    assert ratio > 5


@pytest.mark.benchmark(group="selective-scan-memory")
def test_sequence_of_ssumamba_runs_under_two_gibibytes(benchmark: ScanBenchmark) -> None:
    """31 bands of 64 x 64 pixels as one sequence, Python and torch included."""
    found = benchmark.pedantic(lambda: measured(PEAK_PROGRAM, "chunked", SSUMAMBA_LENGTH))
    benchmark.extra_info.update(process_mib=found["of_the_process"], pass_mib=found["of_the_pass"])
    log.info("scan of %d: process %.0f MiB", SSUMAMBA_LENGTH, found["of_the_process"])
    assert found["of_the_process"] < 2048
