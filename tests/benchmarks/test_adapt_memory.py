"""Adapting to a scene of any size: what `hyperalign adapt` holds in memory does not grow with the scene."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tests.benchmarks.envi import envi_header

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

BANDS, WIDTH, CROP = 12, 512, 64
SHORT, LONG = 256, 8192
"""Rows of two scenes; the long one holds 192 MiB of float32."""

COMMAND = """
import json, resource, sys
from experiments.cli import main
code = main(sys.argv[1:])
print(json.dumps({"code": code, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10}))
"""


def noisy_scene(folder: Path, rows: int) -> Path:
    """An ENVI file of smooth spectra under noise, written in strips."""
    folder.mkdir(parents=True)
    centres = (450 + 20 * band for band in range(BANDS))
    (folder / "scene.hdr").write_text(envi_header(rows, WIDTH, BANDS, "bil", centres))
    stream, columns = np.random.default_rng(0), np.arange(WIDTH) / 40
    bands = np.arange(BANDS)[:, None]
    with (folder / "scene.img").open("wb") as file:
        for first in range(0, rows, 64):
            lines = np.arange(first, first + 64)[:, None, None] / 50
            clean = 0.5 + 0.3 * np.sin(lines + columns) * np.cos(bands / 5 + columns / 7)
            noise = 0.1 * stream.standard_normal((64, BANDS, WIDTH))
            (clean + noise).astype("<f4").tofile(file)
    return folder


def peak(folder: Path, rows: int) -> float:
    """Adapt by the command, in a process of its own; return the MiB that it held at most."""
    cubes = noisy_scene(folder / "cubes", rows)
    words = ["adapt", "--data.root", str(cubes), "--data.crop", str(CROP), "--data.crops_per_scene", "3"]
    words += ["--trainer.max_steps", "1", "--trainer.default_root_dir", str(folder), "--pictures", "null"]
    words += ["--proxy.store", str(folder / "store")]
    done = subprocess.run([sys.executable, "-c", COMMAND, *words], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["code"] == 0
    return found["peak"]


def test_the_peak_memory_of_adapt_does_not_grow_with_the_scene(tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    short = peak(tmp_path / "short", SHORT)
    long = cast("Any", benchmark).pedantic(peak, args=(tmp_path / "long", LONG), rounds=1)
    grown = WIDTH * (LONG - SHORT) * BANDS * 4 / 2**20
    logging.getLogger(__name__).info("adapt: %.0f MiB at %d rows, %.0f MiB at %d", short, SHORT, long, LONG)
    assert long - short < 0.25 * grown
