"""Predicting a scene larger than memory should be: the process's peak is that of a row of tiles, not of the scene."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from tests.benchmarks.envi import envi_header

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

SIDE = 4000
BANDS = 31
LIMIT = 3.0
"""GiB, of the whole process, at 4,000 x 4,000 x 31 float32."""

PREDICT = """
import hyperalign  # noqa: F401
import json, resource, sys, time, torch
torch.set_num_threads(1)
from lightning import Trainer
from callbacks import PredictionWriter
from datamodules import Folder
from lightning_modules import RestorationModule

source, target = sys.argv[1:]
module = RestorationModule(torch.nn.Identity())
module.trained_on = {"wavelengths": [400.0 + 10 * band for band in range(31)]}
writer = PredictionWriter(target)
trainer = Trainer(accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, callbacks=[writer])
idle, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, time.perf_counter()
trainer.predict(module, datamodule=Folder(source))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"idle": idle, "peak": peak, "seconds": time.perf_counter() - begin}))
"""


def synthetic_scene(folder: Path, side: int) -> Path:
    """An ENVI file whose value tells its band, row and column, written band by band."""
    folder.mkdir()
    image = folder / "scene.bsq"
    centres = (400 + 10 * band for band in range(BANDS))
    image.with_suffix(".hdr").write_text(envi_header(side, side, BANDS, "bsq", centres))
    with image.open("wb") as file:
        for band in range(BANDS):
            file.write(plane(band, side).tobytes())
    return image


def plane(band: int, side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """One band of the scene."""
    position = np.arange(side, dtype=np.float32) / side
    return ((position[:, None] + position) / 4 + band / 100).astype(np.float32)


def predicted(folder: Path, side: int) -> dict[str, float]:
    """Predict in a process of its own; check the output; return its memory in GiB and its seconds."""
    synthetic_scene(folder / "in", side)
    command = [sys.executable, "-c", PREDICT, str(folder / "in"), str(folder / "out")]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    restored = np.memmap(folder / "out" / "scene.bsq", np.float32, "r", shape=(BANDS, side, side))
    for band in (0, BANDS - 1):
        assert float(np.abs(restored[band] - plane(band, side)).max()) < 1e-5
    found: dict[str, float] = json.loads(lines[-1])
    return found


@pytest.mark.parametrize("side", [1000, SIDE])
def test_the_peak_memory_of_predict(tmp_path: Path, benchmark: BenchmarkFixture, side: int) -> None:
    found = cast("Any", benchmark).pedantic(predicted, args=(tmp_path, side), rounds=1)
    logging.getLogger(__name__).info(
        "predict of %d x %d x %d float32 (%.2f GiB): peak %.2f GiB, %.2f GiB of it before any data, %.0f s",
        side,
        side,
        BANDS,
        side * side * BANDS * 4 / 2**30,
        found["peak"],
        found["idle"],
        found["seconds"],
    )
    assert found["peak"] < LIMIT
