"""Published-size backbones against their plain forms in one process: inference time, memory of a training step.

CPU seconds of one thread are compared, the two forms taking turns, because other work on the machine changes them
least.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from tests.backbones import STEMS, Backbone
from tests.benchmarks.test_transfer import Benchmark

log = logging.getLogger(__name__)
SIDE = int(os.environ.get("HYPERALIGN_BENCHMARK_SIDE", "32"))
TOLERANCE = 1.1
"""Two runs of one and the same network differ by up to this factor on a busy machine."""


def saved_bytes(forward: Callable[[Tensor], Tensor], x: Tensor, network: nn.Module) -> int:
    """Bytes that one training step keeps between forward and backward, each storage once, parameters not counted."""
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, tuple[Tensor, int]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            # The tensor is held so that its address is not given to another one.
            kept[storage.data_ptr()] = (tensor.detach(), storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward(x).sum().backward()
    return sum(size for _, size in kept.values())


def cpu_seconds(forward: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    forward(x)
    return time.process_time() - start


@pytest.mark.benchmark(group="backbones")
@pytest.mark.parametrize("stem", STEMS)
def test_no_slower_and_no_larger_than_the_plain_form(benchmark: Benchmark, stem: str) -> None:
    backbone = Backbone(stem)
    torch.manual_seed(0)
    network = backbone.kind(**backbone.published).eval()
    small = SIDE // 4 if backbone.enlarges and not backbone.upsampled else SIDE
    x = torch.rand(1, 31, small, small, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, given = backbone.plain_forward(network, x), network(x)
        assert float((given - expected).norm() / expected.norm()) < 1e-3
        torch.set_num_threads(1)
        benchmark.pedantic(network, (x,), rounds=1)
        seconds = [
            (cpu_seconds(network, x), cpu_seconds(partial(backbone.plain_forward, network), x)) for _ in range(4)
        ]
    ours_best, plain_best = (min(column) for column in zip(*seconds, strict=True))
    ratio = plain_best / ours_best
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout | nn.Dropout2d | nn.modules.batchnorm._BatchNorm):
            layer.eval()
    ours = saved_bytes(network, x, network)
    theirs = saved_bytes(lambda cube: backbone.plain_forward(network, cube), x, network)
    benchmark.extra_info.update(ratio=ratio, megabytes=ours / 1e6, plain_megabytes=theirs / 1e6)
    log.info(
        "%s, 31 x %d x %d: %.2f s, plain %.2f s (ratio %.2f); a training step keeps %.0f MB, plain %.0f MB",
        *(stem, small, small, ours_best, plain_best, ratio, ours / 1e6, theirs / 1e6),
    )
    assert ratio * TOLERANCE >= 1
    assert ours <= theirs
