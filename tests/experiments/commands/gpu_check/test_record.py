"""What a part found is on disk after every line, and in the table."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.commands.gpu_check.record import Record, Recorder, summary

DOCS = Path(__file__).parents[4] / "docs"


def test_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    note = Recorder("scan", tmp_path / "scan.json")
    assert Record.read(tmp_path / "scan.json").state == "running"
    note.line("forward", True, error_forward=1e-7)
    found = Record.read(tmp_path / "scan.json")
    assert [(line.what, line.holds, line.figures) for line in found.lines] == [
        ("forward", True, {"error forward": 1e-7})
    ]
    assert not found.holds
    note.finish("finished")
    assert Record.read(tmp_path / "scan.json").holds
    note.line("backward", False)
    assert not Record.read(tmp_path / "scan.json").holds


def test_the_table_names_what_is_otherwise_and_why_a_part_ended(tmp_path: Path) -> None:
    wrong = Recorder("scan", tmp_path / "scan.json")
    wrong.line("a | b", False, seconds=0.01234, count=12345)
    wrong.finish("finished")
    failed = Recorder("transfer", tmp_path / "transfer.json")
    failed.finish("failed", "OutOfMemoryError: no\nmemory", ["line"])
    table = summary({"device": "card", "faiss": ""}, [wrong.record, failed.record])
    lines = table.splitlines()
    assert lines[0] == "device card"
    assert any(line.startswith("| scan | finished |") and line.endswith("| 1 | a | b |") for line in lines)
    assert any(line.endswith("| 0 | OutOfMemoryError: no memory |") for line in lines)
    assert "| scan | a / b | seconds 0.0123, count 12,345 | **no** |" in lines


def test_the_page_has_the_table_of_what_was_measured() -> None:
    content = json.loads((DOCS / "measured" / "gpu_h200.json").read_text(encoding="utf-8"))
    records = [Record.of(part) for part in content["parts"]]
    assert summary(content["machine"], records).strip() in (DOCS / "gpu.md").read_text(encoding="utf-8")
