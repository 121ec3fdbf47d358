"""Parts in processes of their own: an error, an end without a word and a part that hangs are all written down."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.commands.gpu_check import running
from experiments.commands.gpu_check.task import Task


def failing(task: Task) -> None:
    task.note.line("before", True)
    raise ArithmeticError("too\nmuch")


def dying(task: Task) -> None:
    task.note.line("before", True)
    os._exit(7)


def hanging(task: Task) -> None:
    task.note.line("before", True)
    if os.fork() == 0:
        time.sleep(30)
    time.sleep(30)


def talking(task: Task) -> None:
    os.write(1, b"to the log\n")
    os.write(2, b"from C\n")
    task.note.line("talked", True)


@pytest.mark.parametrize(
    ("check", "state", "sentence"),
    [
        (failing, "failed", "ArithmeticError: too much"),
        (dying, "ended", "the process ended with code 7"),
        (hanging, "cut", "not finished within its 2 seconds"),
    ],
)
def test_whatever_ends_a_part_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: object, state: str, sentence: str
) -> None:
    monkeypatch.setattr(running, "check_of", lambda part: SimpleNamespace(check=check))
    record = running.run_part("scan", "cpu", True, tmp_path, budget=2.0)
    assert (record.state, record.error) == (state, sentence)
    assert [line.what for line in record.lines] == ["before"]
    assert record.seconds < 15
    assert any("ArithmeticError" in line for line in record.traceback) == (state == "failed")


def test_what_a_part_prints_goes_to_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "check_of", lambda part: SimpleNamespace(check=talking))
    assert running.run_part("scan", "cpu", True, tmp_path, budget=30.0).holds
    assert (tmp_path / "parts" / "scan.log").read_text() == "to the log\nfrom C\n"
    assert capfd.readouterr() == ("", "")


def test_a_record_of_an_earlier_check_is_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "check_of", lambda part: SimpleNamespace(check=talking))
    assert running.run_part("scan", "cpu", True, tmp_path, budget=30.0).holds
    monkeypatch.setattr(running, "perform", lambda *given: os._exit(3))
    record = running.run_part("scan", "cpu", True, tmp_path, budget=30.0)
    assert (record.state, record.lines) == ("ended", [])
