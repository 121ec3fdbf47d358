"""The Triton kernels: in Triton's interpreter where triton is installed, and on a GPU where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lightning_modules.networks.layers.selective_scan.samples import (
    installed,
    largest_error,
    on_gpu,
    outputs_and_gradients,
    scan_arguments,
    second_input,
)

ROOT = Path(__file__).resolve().parents[5]


@installed
def test_kernels_in_the_interpreter_equal_the_reference() -> None:
    """A process of its own: Triton reads the variable when it is imported."""
    module = "tests.lightning_modules.networks.layers.selective_scan.interpreted"
    run = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    errors = json.loads(run.stdout)
    assert len(errors) == 3
    assert all(error <= 1e-5 for error in errors.values()), errors


@installed
@on_gpu
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("batch", "channels", "states", "length", "groups"), [(2, 24, 5, 200, 4), (1, 80, 16, 3000, 0)]
)
def test_kernels_on_a_gpu_equal_the_reference(
    batch: int, channels: int, states: int, length: int, groups: int, reverse: bool
) -> None:
    arguments = scan_arguments(batch, channels, states, length, groups)
    second = second_input(arguments)
    expected = outputs_and_gradients("chunked", arguments, second, reverse=reverse)
    found = outputs_and_gradients("triton", arguments, second, reverse=reverse, device="cuda")
    assert largest_error(found, expected) <= 1e-5
