"""`hyperalign benchmark`: one page and its figures, what is kept, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from experiments.cli import main

WORDS = ["benchmark", "--only", "GSA", "transfer: application", "--sides", "32", "64", "--bands", "8", "16"]


def test_a_page_is_written_and_nothing_is_measured_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    try:
        assert main([*WORDS, "--output", str(tmp_path)]) == 0
    finally:
        torch.set_num_threads(threads)
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "transfer: application",
        "GSA",
        "page:",
        "next:",
    ]
    text = (tmp_path / "roofline_cpu.md").read_text()
    assert "| GSA | 64 x 64 x 16 |" in text
    content = json.loads((tmp_path / "roofline_cpu.json").read_text())
    assert content["limits"]["operations"] > 0
    assert main([*WORDS, "--output", str(tmp_path)]) == 0
    again = json.loads((tmp_path / "roofline_cpu.json").read_text())
    assert again["subjects"] == content["subjects"]
    assert capsys.readouterr().out.startswith("page:")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--only", "sertt"], "There is no subject 'sertt': the nearest one is 'sert'"),
        (["--sides", "40"], "Sides are multiples of 16 pixels and bands at least 1: change --sides or --bands."),
        (["--bands", "0"], "Sides are multiples of 16 pixels and bands at least 1: change --sides or --bands."),
    ],
)
def test_what_is_no_subject_or_size_is_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", *words]) == 2
    assert sentence in capsys.readouterr().err
