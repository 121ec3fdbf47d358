"""unCLIP's part of the check on a CPU."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from experiments.commands.gpu_check.checks import unclip
from experiments.commands.gpu_check.checks.random_unclip import TINY, RandomUnCLIPGuides, random_parts
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_tiny_guides_are_compared(tmp_path: Path) -> None:
    task = quick_task(tmp_path, "unclip")
    unclip.check(task)
    assert set(lines_of(task)) == {"tiny: float32", "tiny: float32, offloaded", "tiny: bfloat16"}


def test_guides_are_timed_and_a_failure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unclip, "SIDE", 24)
    task = quick_task(tmp_path, "unclip")
    parts = random_parts(TINY, torch.float32, torch.device("cpu"))
    unclip._drawn(task, "tiny", partial(RandomUnCLIPGuides, parts, steps=2, **unclip.WORDS), 2)
    unclip._drawn(task, "impossible", partial(RandomUnCLIPGuides, parts, steps=0), 1)
    good, bad = task.note.record.lines
    assert good.holds
    assert float(str(good.figures["seconds a guide"])) > 0
    assert bad.holds is False
    assert "steps is 0" in str(bad.figures["reason"])
