"""Speed of the transport plan at 4096 pixels x 77 words: ratio to geomloss in the same process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.fusion.co2if.sinkhorn import sinkhorn_plan
from lightning_modules.networks.fusion.co2if.transport import CrossModalTransport

log = logging.getLogger(__name__)
SIDE, WORDS, WIDTH, EPSILON = 64, 77, 64, 0.01


class SinkhornBenchmark(Protocol):
    """The part of pytest-benchmark's untyped fixture that is used here."""

    stats: Mapping[str, float]
    extra_info: dict[str, float]

    def pedantic(self, target: Callable[[], object], *, rounds: int = 1, warmup_rounds: int = 0) -> object: ...


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Fastest of some runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def tokens() -> tuple[Tensor, Tensor]:
    """Unit tokens of an image that varies slowly with some noise, `1 x 4096 x 64`, and of a text, `1 x 77 x 64`."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, WIDTH, 8, 8, generator=generator)
    image = functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic").flatten(2).transpose(1, 2)
    image = image + 0.3 * torch.randn(image.shape, generator=generator)
    text = torch.randn(1, WORDS, WIDTH, generator=generator)
    return functional.normalize(image, dim=-1).requires_grad_(), functional.normalize(text, dim=-1).requires_grad_()


def own_plan(image: Tensor, text: Tensor, weights: Tensor) -> Tensor:
    """Forward and backward pass of the plan, cost included; the plan."""
    plan = sinkhorn_plan(1 - image @ text.transpose(1, 2), EPSILON)
    torch.autograd.grad((plan * weights).sum(), (image, text))
    return plan.detach()


@pytest.mark.benchmark(group="sinkhorn")
def test_plan_is_five_times_faster_than_the_divergence_of_geomloss(benchmark: SinkhornBenchmark) -> None:
    geomloss = pytest.importorskip("geomloss", reason="geomloss is not installed: nothing to compare with")
    image, text = tokens()
    weights = torch.randn(1, SIDE * SIDE, WORDS, generator=torch.Generator().manual_seed(1))
    loss = geomloss.SamplesLoss("sinkhorn", p=2, blur=EPSILON**0.5, debias=True, backend="tensorized")
    theirs = seconds(lambda: torch.autograd.grad(loss(image, text).sum(), (image, text)), 1)
    plan = own_plan(image, text, weights)
    assert float((plan.sum(dim=1) - 1 / WORDS).abs().sum()) < 1e-4
    benchmark.pedantic(lambda: own_plan(image, text, weights), rounds=8, warmup_rounds=1)
    ratio = theirs / benchmark.stats["min"]
    benchmark.extra_info.update(geomloss_seconds=theirs, ratio=ratio, threads=torch.get_num_threads())
    log.info(
        "4096 x 77, %d threads, forward and backward: plan %.1f ms, geomloss debiased divergence %.0f ms (ratio %.0f)",
        *(torch.get_num_threads(), 1e3 * benchmark.stats["min"], 1e3 * theirs, ratio),
    )
    assert ratio >= 5


@pytest.mark.benchmark(group="sinkhorn")
def test_whole_module(benchmark: SinkhornBenchmark) -> None:
    """Everything around the plan too: G, two smoothing steps, W; forward and backward."""
    torch.manual_seed(0)
    network = CrossModalTransport(WIDTH, WIDTH)
    features = tokens()[0].detach().transpose(1, 2).unflatten(2, (SIDE, SIDE)).requires_grad_()
    text = tokens()[1]

    def step() -> None:
        network(features, text).weight.square().sum().backward()

    benchmark.pedantic(step, rounds=5, warmup_rounds=1)
    log.info("module at 64 x 64 x 77, forward and backward: %.0f ms", 1e3 * benchmark.stats["min"])
