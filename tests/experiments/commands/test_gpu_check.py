"""`hyperalign gpu-check`: parts chosen, one JSON, one table, an exit code, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from experiments.commands import gpu_check
from experiments.commands.gpu_check.record import Record


def test_chosen_parts_fill_one_json_and_one_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["gpu-check", "--device", "cpu", "--quick", "--only", "scan", "--output", str(tmp_path / "out")]
    assert main(words) == 0
    found = json.loads((tmp_path / "out" / "gpu_check.json").read_text())
    assert found["machine"]["torch"] == torch.__version__
    assert [(part["part"], part["state"]) for part in found["parts"]] == [("scan", "finished")]
    table = (tmp_path / "out" / "gpu_check.md").read_text()
    assert "| scan | finished |" in table
    printed = capfd.readouterr().out
    assert printed.splitlines()[-2].split() == ["table:", str(tmp_path / "out" / "gpu_check.md")]
    assert printed.splitlines()[-1].split()[:3] == ["next:", "hyperalign", "benchmark"]


def test_a_part_that_is_not_as_it_must_be_gives_exit_code_one_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    states = {"scan": "cut", "co2if": "finished"}
    monkeypatch.setattr(gpu_check, "run_part", lambda part, *given: Record(part, states[part]))
    words = ["gpu-check", "--device", "cpu", "--only", "co2if", "scan", "--output", str(tmp_path)]
    assert main(words) == 1
    found = json.loads((tmp_path / "gpu_check.json").read_text())
    # In the order of the parts, whatever the order on the command line.
    assert [part["part"] for part in found["parts"]] == ["scan", "co2if"]
    assert capsys.readouterr().out.startswith("scan         cut")


def test_parts_of_an_earlier_check_on_the_same_card_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_check, "run_part", lambda part, *given: Record(part, "finished"))
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["gpu-check", "--device", "cpu", "--only", "scan", "co2if", "--output", str(first)]) == 0
    add = ["--add", str(first / "gpu_check.json")]
    monkeypatch.setattr(gpu_check, "run_part", lambda part, *given: Record(part, "cut"))
    assert main(["gpu-check", "--device", "cpu", "--only", "scan", *add, "--output", str(second)]) == 1
    found = json.loads((second / "gpu_check.json").read_text())
    assert [(part["part"], part["state"]) for part in found["parts"]] == [("scan", "cut"), ("co2if", "finished")]
    content = json.loads((first / "gpu_check.json").read_text())
    content["machine"]["device"] = "another card"
    (first / "gpu_check.json").write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["gpu-check", "--device", "cpu", "--only", "scan", *add, "--output", str(second)]) == 2
    assert "ran on another card and this one runs on cpu" in capsys.readouterr().err


def test_a_part_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpu-check", "--only", "scam"]) == 2
    assert "There is no part 'scam': the nearest one is 'scan'" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_another_device_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["gpu-check", "--output", str(tmp_path)]) == 2
    assert capfd.readouterr().err == (
        "error: There is no GPU that torch can use: give --device cpu to run the same check on a CPU.\n"
    )
