"""The machine tells what it is."""

from __future__ import annotations

import torch

from experiments.commands.gpu_check.machine import machine


def test_a_cpu_is_named_with_the_versions_that_matter() -> None:
    told = machine("cpu")
    assert told["device"] == "cpu"
    assert told["torch"] == torch.__version__
    assert told["mamba-ssm"] == ""
    assert int(told["cores"]) >= 1
