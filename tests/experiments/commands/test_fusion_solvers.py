"""The table of fusion solvers on the real Paris pair: rows, seconds, and rows that are not run again."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from experiments.commands.fusion_solvers import main


def test_a_table_of_real_pairs(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--config", "data/paris_eo1", "--config", "tasks/fusion", "--ratio", "4", "--methods", "gsa", "fuse"]
    words += ["--root", str(shared / "data" / "Paris_EO1"), "--data.tiles", "1"]
    words += ["--data.training", "[]", "--data.validation", "[paris]"]
    words += ["--data.cache", str(tmp_path / "cache"), "--blur", "7", "3.0"]
    words += [
        "--trainer.accelerator",
        "cpu",
        "--trainer.enable_progress_bar",
        "false",
        "--output",
        str(tmp_path / "table"),
    ]
    assert main(words) == 0
    table = (tmp_path / "table" / "table.md").read_text()
    with (tmp_path / "table" / "scenes.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["bicubic", "gsa", "fuse", "fuse, blur given"]
    # GSA takes 3.5 dB more out of the pair than enlargement does.
    assert float(rows["gsa"]["psnr"]) > float(rows["bicubic"]["psnr"]) + 3
    assert float(rows["gsa"]["seconds"]) > 0
    assert table.count("\n") == 6
    results = tmp_path / "table" / "seed_0" / "gsa" / "results.csv"
    stamp = results.stat().st_mtime_ns
    assert main(words) == 0
    assert results.stat().st_mtime_ns == stamp
