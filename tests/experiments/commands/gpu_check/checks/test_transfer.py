"""The transfer's part of the check on a CPU."""

from __future__ import annotations

from pathlib import Path

from experiments.commands.gpu_check.checks import transfer
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


def test_guides_alone_and_together_are_compared_and_timed(tmp_path: Path) -> None:
    task = quick_task(tmp_path, "transfer")
    transfer.check(task)
    lines = lines_of(task)
    assert lines["a small cube as on a CPU"].figures == {"decibels": 200.0}
    assert lines["4 at once: the first guide beside itself alone"].figures == {"largest difference": 0.0}
    assert float(str(lines["2 at once: 3 steps"].figures["milliseconds a step"])) > 0
