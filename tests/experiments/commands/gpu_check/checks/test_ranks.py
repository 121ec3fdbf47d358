"""Two processes' part of the check on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.commands.gpu_check.checks import ranks
from hyperalign.errors import RunError
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    task = quick_task(tmp_path, "ranks")
    ranks.check(task)
    lines = lines_of(task)
    assert float(str(lines["training with DistributedDataParallel over gloo"].figures["relative difference"])) < 1e-5
    assert lines["proxies and synthesised cubes"].holds


def test_a_process_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*given: object) -> dict[str, object]:
        raise ArithmeticError("too much")

    monkeypatch.setattr(ranks, "_trained", failing)
    with pytest.raises(RunError, match=r"1 processes ended with .*ArithmeticError: too much"):
        ranks.check(quick_task(tmp_path, "ranks"))
