"""What a run says last: what it left where, and a command that can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.ending import as_word, without


def test_a_fit_ends_with_its_checkpoint_and_what_comes_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--config", "tiny", "--trainer.enable_model_summary", "true"]
    assert main(words) == 0
    captured = capsys.readouterr()
    lines = dict(line.split(": ", 1) for line in captured.out.splitlines() if ": " in line)
    assert Path(lines["checkpoint"].strip()).is_file()
    assert "next" not in lines  # the tiny module restores nothing that a test could score
    assert "TinyRestorer" in captured.out
    assert "FLOPs" not in captured.out + captured.err


def test_options_of_one_run_are_left_out_of_the_next() -> None:
    given = shlex.split("--config a --ckpt_path old.ckpt --resume --data.root 'my cubes' --output=out --verbose false")
    assert without(given) == ["--config", "a", "--data.root", "my cubes"]


def test_settings_are_written_as_the_command_line_takes_them() -> None:
    values = [True, None, 5, [-9999.0, 1.5], ["*.tif"], "400:700:31"]
    assert [as_word(value) for value in values] == ["true", "null", "5", "[-9999.0, 1.5]", '["*.tif"]', "400:700:31"]
