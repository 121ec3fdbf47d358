"""Training patches of real CAVE scenes, and opening a large prepared data set.

Rates are patches per CPU second of one thread, because other work on the machine changes them least. The patches are
clean ones, drawn, read and turned by `PatchDataset`; degrading them is the task's own cost and is logged beside. The
memory is what the process itself holds (`RssAnon`, the libraries' included): pages of the mapped cubes belong to the
system's file cache, which takes them back whenever anything needs the memory. They are logged too.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from datamodules import CAVE, NonIIDGaussian
from datamodules.degradations import Degradation
from datamodules.preparation import prepare
from datamodules.sampling.patches import PatchDataset, TrainingScenes
from datamodules.scenes.scene import _map_cube
from hyperalign.seeding import generator_for
from tests.benchmarks.test_transfer import Benchmark
from tests.datamodules.fake_cave import fake_values, write_scene

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
SIZE = 64
SECONDS = float(os.environ.get("HYPERALIGN_BENCHMARK_SECONDS", "2"))
"""CPU seconds that a rate is measured for."""
FILES = int(os.environ.get("HYPERALIGN_BENCHMARK_SCENES", "200"))

MEMORY_PROGRAM = """
import json, sys
import torch
from tests.benchmarks.test_patches import clean_patches, resident

torch.set_num_threads(1)
before = resident()
patches = clean_patches(*sys.argv[1:])
for number in range(3000):
    patches[number]
json.dump({"before": before, "after": resident()}, sys.stdout)
"""


class Unchanged(Degradation):
    """Leaves the patch as it is, so that nothing but the patch is measured."""

    def draw(self, shape: Sequence[int], generator: Generator) -> NonIIDGaussian:  # type: ignore[override]
        raise AssertionError(shape, generator)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        return {}

    def __call__(self, cube: Tensor, generator: Generator) -> Tensor:
        return cube


def clean_patches(root: str, cache: str, degradation: Degradation | None = None) -> PatchDataset:
    """Patches of all CAVE scenes below `root`."""
    data = CAVE(root, cache=cache, split="all")
    pool = TrainingScenes()
    pool.exchange(data.scenes(data.scene_names()))
    return PatchDataset(pool, degradation or Unchanged(), SIZE, 1_000_000, 0)


def resident() -> dict[str, float]:
    """MiB that this process holds: all, and those that are not pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")}


def rate(draw: Callable[[int], object]) -> float:
    """Calls per CPU second."""
    draw(0)
    start = time.process_time()
    for number in count(1):
        draw(number)
        if (seconds := time.process_time() - start) >= SECONDS:
            return number / seconds
    raise AssertionError


@pytest.fixture
def cave(shared: Path, tmp_path: Path) -> tuple[str, str]:
    """Root and cache folder of the 8 real scenes, prepared."""
    root, cache = str(shared / "data" / "CAVE"), str(tmp_path / "cache")
    assert len(prepare(CAVE(root, cache=cache, split="all"), 1, lambda *_: None).made) == 8
    return root, cache


@pytest.mark.benchmark(group="patches")
def test_patches_from_the_map_against_decoding_the_files(benchmark: Benchmark, cave: tuple[str, str]) -> None:
    torch.set_num_threads(1)
    patches, data = clean_patches(*cave), CAVE(cave[0], cache=cave[1], split="all")
    names = data.scene_names()

    def decode(number: int) -> Tensor:
        generator = generator_for(0, "decoded", number)
        cube = data.read_scene(names[number % len(names)]).cube
        row, column = (int(torch.randint(side - SIZE + 1, (), generator=generator)) for side in cube.shape[1:])
        return cube[:, row : row + SIZE, column : column + SIZE].clone()

    mapped, decoded = max(rate(patches.__getitem__) for _ in range(3)), rate(decode)
    degraded = rate(clean_patches(*cave, NonIIDGaussian()).__getitem__)
    benchmark.pedantic(patches.__getitem__, (0,), rounds=5)
    benchmark.extra_info.update(mapped=mapped, decoded=decoded, degraded=degraded)
    log.info(
        "31 x %d x %d patches per CPU second of one core: %.0f, with Gaussian noise %.0f, decoding the files %.1f "
        "(ratio %.0f)",
        *(SIZE, SIZE, mapped, degraded, decoded, mapped / decoded),
    )
    assert patches[0]["target"].shape == (31, SIZE, SIZE)
    assert mapped >= 10 * decoded
    assert mapped >= 1500


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.benchmark(group="patches")
def test_memory_of_drawing_patches(benchmark: Benchmark, cave: tuple[str, str]) -> None:
    def run() -> dict[str, dict[str, float]]:
        command = [sys.executable, "-c", MEMORY_PROGRAM, *cave]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
        measured: dict[str, dict[str, float]] = json.loads(done.stdout)
        return measured

    found = benchmark.pedantic(run, rounds=1)
    before, after = found["before"], found["after"]
    benchmark.extra_info.update(
        {f"{name}_{when}": size for when, sizes in found.items() for name, size in sizes.items()}
    )
    log.info(
        "3000 patches of 8 scenes: the process holds %.0f MiB of its own (libraries alone %.0f), and with the pages of "
        "files, which the system may take back, %.0f MiB (libraries alone %.0f)",
        *(after["RssAnon"], before["RssAnon"], after["VmRSS"], before["VmRSS"]),
    )
    assert after["RssAnon"] < 400
    assert after["VmRSS"] - before["VmRSS"] < 400


@pytest.mark.benchmark(group="patches")
def test_opening_a_prepared_data_set(benchmark: Benchmark, tmp_path: Path) -> None:
    root, cache = tmp_path / "complete_ms_data", str(tmp_path / "cache")
    for number in range(FILES):
        name = f"scene{number:03d}"
        write_scene(root / f"{name}_ms" / f"{name}_ms", name, fake_values(name, 8))
    assert len(prepare(CAVE(str(root), cache=cache, split="all"), 1, lambda *_: None).made) == FILES

    def opened() -> int:
        _map_cube.cache_clear()
        data = CAVE(str(root), cache=cache, split="all", patch_size=8)
        data.prepare_data()
        return len(data.train_dataloader()) and len(data.scenes(data.scene_names()))

    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        assert opened() == FILES
        seconds.append(time.perf_counter() - start)
    benchmark.pedantic(opened, rounds=1)
    log.info("%d prepared scenes of 31 files each are opened in %.2f s", FILES, min(seconds))
    assert min(seconds) < 1
