"""Memory of the full-size CO2IF on a CPU: a training step, and a whole image in the tiles of its configuration."""

from __future__ import annotations

import logging

import pytest

from tests.benchmarks.test_selective_scan import ScanBenchmark, measured

log = logging.getLogger(__name__)

TRAINING_PROGRAM = """
import json, sys
from pathlib import Path
import torch
from lightning_modules import CO2IF

torch.set_num_threads(1)
torch.manual_seed(0)
network = CO2IF()
optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
inputs = torch.rand(4, 31, 8, 8), torch.rand(4, 3, 64, 64), torch.randn(4, 77, 512)
for _ in range(2):
    torch.nn.functional.l1_loss(network(*inputs), torch.rand(4, 31, 64, 64)).backward()
    optimizer.step()
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
json.dump({"gibibytes": peak / 2**20}, sys.stdout)
"""

IMAGE_PROGRAM = """
import json, sys, time
from pathlib import Path
import torch
from experiments.commands.flops import FOLDER, network_settings
from lightning_modules import CO2IF
from lightning_modules.restorer.tiles import in_tiles
import yaml

torch.set_num_threads(1)
torch.manual_seed(0)
tile = yaml.safe_load((FOLDER / "cave.yaml").read_text())["model"]["init_args"]["tile"]
network = CO2IF(**network_settings("cave")).eval()
tokens = torch.randn(1, 77, 512)
start = time.process_time()
low, high = torch.rand(1, 31, 64, 64), torch.rand(1, 3, 512, 512)
fused = in_tiles(lambda low, high: network(low, high, tokens), low, high, tile=tile)
assert fused.shape == (1, 31, 512, 512)
seconds = time.process_time() - start
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
json.dump({"gibibytes": peak / 2**20, "seconds": seconds}, sys.stdout)
"""


@pytest.mark.benchmark(group="co2if-memory")
def test_training_step_fits_four_gibibytes(benchmark: ScanBenchmark) -> None:
    """Patches of 64 x 64, batch 4, 31 bands, optimiser and Python included."""
    found = benchmark.pedantic(lambda: measured(TRAINING_PROGRAM))
    benchmark.extra_info.update(found)
    log.info("CO2IF training step: %.2f GiB", found["gibibytes"])
    assert found["gibibytes"] < 4


@pytest.mark.benchmark(group="co2if-memory")
def test_whole_image_fits_six_gibibytes(benchmark: ScanBenchmark) -> None:
    """512 x 512 x 31 in overlapping tiles."""
    found = benchmark.pedantic(lambda: measured(IMAGE_PROGRAM))
    benchmark.extra_info.update(found)
    log.info("CO2IF on 31 x 512 x 512: %.2f GiB, %.0f CPU seconds", found["gibibytes"], found["seconds"])
    assert found["gibibytes"] < 6
