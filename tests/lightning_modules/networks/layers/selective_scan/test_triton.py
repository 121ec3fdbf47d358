"""The Triton kernels: in Triton's interpreter where triton is installed, and on a GPU where there is one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lightning_modules.networks.layers.selective_scan import selective_scan
from tests.lightning_modules.networks.layers.selective_scan.samples import (
    largest_error,
    outputs_and_gradients,
    scan_arguments,
    second_input,
)

installed = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="Triton kernels need a GPU, there is none here")
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


@installed
@on_gpu
def test_auto_takes_the_kernels_on_a_gpu() -> None:
    arguments = [tensor.cuda() for tensor in scan_arguments(length=100)]
    assert selective_scan(*arguments).equal(selective_scan(*arguments, backend="triton"))


@on_gpu
def test_chunked_on_a_gpu_equals_the_reference() -> None:
    arguments = scan_arguments(2, 24, 16, 1000, 4)
    expected = outputs_and_gradients("reference", arguments)
    assert largest_error(outputs_and_gradients("chunked", arguments, device="cuda"), expected) <= 1e-5
