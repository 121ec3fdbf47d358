"""The networks' part of the check on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.commands.gpu_check.checks import networks
from experiments.commands.gpu_check.checks.specimens import FUSION, RESTORATION, built
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


def test_compact_networks_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "RESTORATION", {"sert": RESTORATION["sert"]})
    monkeypatch.setattr(networks, "FUSION", {name: FUSION[name] for name in ("bdt", "s2cyclediff", "co2if")})
    task = quick_task(tmp_path, "networks")
    networks.check(task)
    lines = lines_of(task)
    assert set(lines) == {f"{stem}, compact" for stem in ("sert", "bdt", "s2cyclediff", "co2if")}
    errors = {what: float(str(line.figures["error forward"])) for what, line in lines.items()}
    assert errors.pop("s2cyclediff, compact") == 0
    assert all(0 < error < 1e-4 for error in errors.values())
    assert all(line.figures["error backward"] == line.figures["backward of a cpu"] for line in lines.values())


def test_a_wrong_gradient_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "RESTORATION", {"sert": RESTORATION["sert"]})
    monkeypatch.setattr(networks, "FUSION", {"co2if": FUSION["co2if"]})
    right = networks.answered
    calls = list[int]()

    def wrong(network: torch.nn.Module, inputs: list[Tensor]) -> networks.Answer:
        calls.append(0)
        output, found = right(network, inputs)
        # Of each three calls, the second is in float64, the last on the device.
        return output, found if len(calls) % 3 else {name: 2 * one for name, one in found.items()}

    monkeypatch.setattr(networks, "answered", wrong)
    task = quick_task(tmp_path, "networks")
    networks.check(task)
    assert [line.holds for line in task.note.record.lines] == [False, False]
    assert float(str(task.note.record.lines[0].figures["error backward"])) == pytest.approx(1, abs=1e-3)


def test_full_size_is_timed_in_both_precisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "built", lambda stem, compact: built(stem, compact=True))
    monkeypatch.setattr(networks, "SIDE", 16)
    monkeypatch.setattr(networks, "FUSED_SIDE", 16)
    task = quick_task(tmp_path, "networks")
    for stem in ("sert", "s2cyclediff"):
        networks._at_full_size(task, stem)
    lines = lines_of(task)
    figures = lines["s2cyclediff, full size: forward and backward"].figures
    assert float(str(figures["milliseconds float32"])) > 0
    assert float(str(figures["milliseconds bfloat16"])) > 0
