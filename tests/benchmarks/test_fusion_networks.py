"""Fusion networks at published widths against their plain forms in one process: inference time, memory of training.

CPU seconds of one thread are compared, the two forms taking turns. The plain form is the published order of operations,
whose selective scan goes step by step; beside it, plain forms with scans take ours as well (`same scan`), so that only
what is around it differs. `HYPERALIGN_BENCHMARK_SCENE=1` also restores 31 x 512 x 512 by FusionMamba, in
tiles and whole, with the scan that `HYPERALIGN_BENCHMARK_SCAN` names.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.metrics.device_cost import DeviceCost
from lightning_modules.networks import BDT, SRLF, FusionMamba, S2CycleDiff, SSTFUNet
from lightning_modules.restorer.tiles import in_tiles
from tests.benchmarks.test_backbones import saved_bytes
from tests.benchmarks.test_transfer import Benchmark
from tests.pairs import Pair, pair, relative
from tests.plain import bdt, fusionmamba, s2cyclediff, srlf, sstf_unet

log = logging.getLogger(__name__)
BACKEND: Any = os.environ.get("HYPERALIGN_BENCHMARK_SCAN", "auto")
"""Backend of the scans of a whole scene."""

TOLERANCE = 1.1
"""Two runs of one and the same network differ by up to this factor on a busy machine."""

PEAK_TOLERANCE = 1.03
"""Peaks of two runs of the same step differ by so much, by what the allocator gives back when."""

ROUNDS = 4
"""Rounds at the least; a busy machine slows some of them, and the best of few is not the best of many."""

ROUND_SECONDS = 10.0
"""CPU seconds that the rounds of a quick network may take together."""

FORMS: dict[str, tuple[Callable[[], nn.Module], Callable[..., Tensor], tuple[int, int]]] = {
    "bdt": (BDT, bdt.plain_forward, (16, 16)),
    "sstf_unet": (partial(SSTFUNet, drop_path=0.0), sstf_unet.plain_forward, (4, 4)),
    "fusionmamba": (FusionMamba, fusionmamba.plain_forward, (16, 16)),
    "s2cyclediff": (partial(S2CycleDiff, steps=8), s2cyclediff.plain_forward, (8, 8)),
    "srlf": (partial(SRLF, dropout=0.0), srlf.plain_forward, (8, 8)),
}
"""Network, plain form, and size of the low-resolution cube. Of 2000 published steps of a sampling 8 are taken."""

SAME_SCAN = {name: partial(FORMS[name][1], backend="chunked") for name in ("fusionmamba", "srlf")}
"""Plain forms with our scan in the place of the step-by-step one."""

ratios: dict[str, float] = {}


def cpu_seconds(forward: Callable[..., Tensor], images: Pair) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    forward(*images)
    return time.process_time() - start


def ratio_of(forms: Sequence[Callable[..., Tensor]], images: Pair, rounds: int | None) -> tuple[float, list[float]]:
    """Best CPU seconds of the first form over those of the second, and both; None takes as many rounds as are quick."""
    first = [cpu_seconds(one, images) for one in forms]
    rounds = max(ROUNDS, int(ROUND_SECONDS / sum(first))) if rounds is None else rounds
    rest = [[cpu_seconds(one, images) for one in forms] for _ in range(rounds - 1)]
    best = [min(column) for column in zip(first, *rest, strict=True)]
    return best[0] / best[1], best


@pytest.mark.benchmark(group="fusion networks")
@pytest.mark.parametrize("name", FORMS)
def test_no_slower_than_the_plain_form(benchmark: Benchmark, name: str) -> None:
    build, plain, size = FORMS[name]
    torch.manual_seed(0)
    network: Any = build().eval()
    images = pair(31, 3, network.ratio, size)
    quick = SAME_SCAN.get(name, plain)
    with torch.no_grad():
        torch.set_num_threads(1)
        assert relative(network(*images), quick(network, *images)) < 1e-3
        benchmark.pedantic(network, images, rounds=1)
        same, best = ratio_of((network, partial(quick, network)), images, rounds=None)
        # A loop of thousands of steps is so much slower that one round tells.
        ratios[name] = ratio_of((network, partial(plain, network)), images, rounds=1)[0] if name in SAME_SCAN else same
    benchmark.extra_info.update(ratio=ratios[name], ratio_same_scan=same)
    log.info("%s: %.2f s, ratio to the plain form %.2f, same scan %.2f", name, best[0], ratios[name], same)
    assert max(ratios[name], same) <= TOLERANCE


def test_the_median_over_the_networks_is_at_most_four_fifths(benchmark: Benchmark) -> None:
    if set(ratios) != set(FORMS):
        pytest.skip("not all networks were measured in this process")
    middle = benchmark.pedantic(median, (ratios.values(),), rounds=1)
    log.info("median ratio %.2f", middle)
    assert middle <= 0.8


def step_gibibytes(forward: Callable[[], Tensor], network: nn.Module) -> float:
    """Growth of the process's memory over one training step, from before the forward pass to behind the backward."""
    network.zero_grad(set_to_none=True)
    with DeviceCost("cpu") as cost:
        forward().mean().backward()
    if cost.gibibytes is None:
        pytest.skip("only Linux tells the peak of a block")
    return cost.gibibytes


@pytest.mark.parametrize("name", [name for name in FORMS if name != "s2cyclediff"])
def test_a_training_step_takes_no_more_memory_than_that_of_the_plain_form(benchmark: Benchmark, name: str) -> None:
    build, plain, size = FORMS[name]
    plain = SAME_SCAN.get(name, plain)
    torch.manual_seed(0)
    network: Any = build().train()
    cube, image = pair(31, 3, network.ratio, size)
    kept = benchmark.pedantic(saved_bytes, (lambda one: network(one, image), cube, network), rounds=1)
    plainly_kept = saved_bytes(lambda one: plain(network, one, image), cube, network)
    peak = step_gibibytes(lambda: network(cube, image), network)
    plain_peak = step_gibibytes(lambda: plain(network, cube, image), network)
    log.info("%s: a step keeps %.1f MB, plain %.1f MB", name, kept / 1e6, plainly_kept / 1e6)
    log.info("%s: peak of a step %.3f GiB, plain %.3f GiB", name, peak, plain_peak)
    assert kept <= plainly_kept
    assert peak <= PEAK_TOLERANCE * plain_peak


def test_a_denoiser_takes_no_more_memory_in_training_than_its_plain_form(benchmark: Benchmark) -> None:
    torch.manual_seed(0)
    network: Any = S2CycleDiff().train()
    noisy, image = pair(34, 31, 1, (64, 64))
    level = torch.full((1,), 0.5)

    def ours(one: Tensor) -> Tensor:
        denoised: Tensor = network.spectral(one, level, network.spectral.guide(image, 0.1), 0.1)
        return denoised

    def plain(one: Tensor) -> Tensor:
        return s2cyclediff.denoised(network.spectral, one, image, level, 0.1)

    kept, plainly_kept = (
        benchmark.pedantic(saved_bytes, (ours, noisy, network), rounds=1),
        saved_bytes(plain, noisy, network),
    )
    peaks = [step_gibibytes(partial(form, noisy), network) for form in (ours, plain)]
    log.info("s2cyclediff: a denoiser keeps %.1f MB, plain %.1f MB", kept / 1e6, plainly_kept / 1e6)
    log.info("s2cyclediff: peak of a denoiser's step %.3f GiB, plain %.3f GiB", *peaks)
    assert kept <= plainly_kept
    assert peaks[0] <= PEAK_TOLERANCE * peaks[1]


@pytest.mark.skipif(
    not os.environ.get("HYPERALIGN_BENCHMARK_SCENE"), reason="set HYPERALIGN_BENCHMARK_SCENE=1 to restore a whole scene"
)
@pytest.mark.parametrize("tile", [16, 32, None])
def test_a_scene_by_fusionmamba(benchmark: Benchmark, tile: int | None) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network, (cube, image) = FusionMamba(ratio=8, backend=BACKEND).eval(), pair(31, 3, 8, (64, 64))
    with torch.no_grad(), DeviceCost("cpu") as cost:
        fused = benchmark.pedantic(partial(in_tiles, tile=tile), (network, cube, image), rounds=1)
    log.info(
        "31 x 512 x 512, tiles of %s low-resolution pixels, %s scan: %.0f CPU s, %.2f GiB",
        *(tile or "all", BACKEND, cost.seconds, cost.gibibytes or math.nan),
    )
    assert fused.shape == (1, 31, 512, 512)
    assert (cost.gibibytes or 0.0) < (2 if tile else 16)
