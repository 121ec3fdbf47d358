"""The part that does everything twice, on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.commands.gpu_check.checks import determinism
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


def test_everything_is_equal_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "QUICK_STEMS", ("sert", "s2cyclediff"))
    task = quick_task(tmp_path, "determinism")
    determinism.check(task)
    lines = lines_of(task)
    assert lines["transfer"].holds
    assert lines["s2cyclediff: 3 training steps"].holds
    assert lines["operations without a deterministic form"].figures == {"operations": "none"}
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_difference_in_the_last_bit_is_named(tmp_path: Path) -> None:
    task = quick_task(tmp_path, "determinism")
    answers = iter([torch.ones(2), torch.ones(2) + 2**-22])
    determinism._twice(task, "unsteady", lambda: [next(answers)])
    (line,) = task.note.record.lines
    assert line.holds is False
    assert line.figures == {"largest difference": 2**-22}
