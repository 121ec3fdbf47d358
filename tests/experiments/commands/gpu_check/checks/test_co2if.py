"""CO2IF's part of the check on a CPU."""

from __future__ import annotations

from pathlib import Path

from experiments.commands.gpu_check.checks import co2if
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


def test_both_precisions_learn(tmp_path: Path) -> None:
    task = quick_task(tmp_path, "co2if")
    co2if.check(task)
    lines = lines_of(task)
    assert set(lines) == {
        "3 training steps in float32",
        "3 training steps in bfloat16",
        "error after the steps, bfloat16 beside float32",
    }
    figures = lines["3 training steps in bfloat16"].figures
    assert float(str(figures["last loss"])) < float(str(figures["first loss"]))
