"""The scan's part of the check on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.commands.gpu_check.checks import scan
from lightning_modules.networks.layers.selective_scan import Backend
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


def test_every_backend_is_compared_and_timed(tmp_path: Path) -> None:
    task = quick_task(tmp_path, "scan")
    scan.check(task)
    lines = lines_of(task)
    assert {"chunked: L 64, second input, reverse", "reference: L 100, second input"} <= set(lines)
    assert lines["chunked: time of L 100"].figures["milliseconds forward"]
    assert float(str(lines["chunked: L 64"].figures["error backward"])) < 1e-5


def test_a_backend_that_fails_or_errs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = quick_task(tmp_path, "scan")
    monkeypatch.setattr(scan, "_backends", lambda task: ["triton", "chunked"])
    exact = scan.with_gradients

    def wrong(tensors: list[Tensor], backend: Backend, reverse: bool = False) -> list[Tensor]:
        output, *rest = exact(tensors, backend, reverse)
        return [output * (1 if tensors[0].dtype == torch.float64 else 1.01), *rest]

    monkeypatch.setattr(scan, "with_gradients", wrong)
    scan.check(task)
    failed = {line.what for line in task.note.record.lines if line.holds is False}
    assert {"triton: L 64", "chunked: L 64", "triton: time of L 100"} <= failed
