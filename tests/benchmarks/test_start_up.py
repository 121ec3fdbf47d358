"""What needs no run is answered in a fraction of the CPU time that importing torch alone takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

ROOT = Path(__file__).resolve().parents[2]
MODULE = [sys.executable, "-m", "experiments"]
ADAPT = [word for name in ("backbones/sert_compact", "data/cave", "tasks/gaussian", "hir_align/adapt")
         for word in ("--config", name)]  # fmt: skip
CASES = {
    "help": (["--help"], 0),
    "help of fit": (["fit", "--help"], 0),
    "help of prepare": (["prepare", "--help"], 0),
    "help of a class": (["fit", "--data.help", "CAVE"], 0),
    "print_config": (["fit", *ADAPT, "--print_config"], 0),
    "misspelt key": (["fit", *ADAPT, "--data.rot", "x"], 2),
    "wrong value": (["fit", *ADAPT, "--trainer.max_epochs", "abc"], 2),
    "settings without a class": (["fit", "--data.rooot", "X"], 2),
    "misspelt command": (["ftt"], 2),
    "no such config": (["fit", "--config", "data/cav"], 2),
    "no such checkpoint": (["test", *ADAPT, "--ckpt_path", "nowhere.ckpt"], 1),
    "no such run": (["export", "nowhere.ckpt", "weights.ckpt"], 1),
    "nothing given": (["fit"], 2),
    "nothing to prepare": (["prepare"], 2),
    "no class": (["fit", "--config", "tasks/gaussian"], 2),
}


def cpu_seconds(command: list[str], code: int) -> float:
    """User and system seconds of a process."""
    before = os.times()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    after = os.times()
    assert done.returncode == code, done.stderr.decode()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.fixture(scope="module")
def torch_alone() -> float:
    command = [sys.executable, "-c", "import torch"]
    cpu_seconds(command, 0)  # pages are warm afterwards
    return min(cpu_seconds(command, 0) for _ in range(3))


@pytest.mark.parametrize("case", CASES)
def test_start_up(case: str, torch_alone: float, benchmark: BenchmarkFixture) -> None:
    words, code = CASES[case]
    spent: list[float] = []
    measured: Any = benchmark.pedantic
    measured(lambda: spent.append(cpu_seconds([*MODULE, *words], code)), rounds=3, warmup_rounds=1)
    ratio = min(spent) / torch_alone
    benchmark.extra_info["ratio to import torch"] = round(ratio, 2)
    assert ratio < 0.75
