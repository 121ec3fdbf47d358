"""The table of training-free methods: its rows, its lines, and a whole small one."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.commands.solver_table import table
from experiments.commands.solver_table.table import NETWORK, Row, packaged, rows, summary


def test_every_packaged_solver_stands_in_both_forms_beside_the_network() -> None:
    assert {"rctv", "whitened_rctv", "lrtv", "lrtdtv", "lrtdtv_g", "enhanced_3dtv", "lrmr"} <= set(packaged())
    assert [row.label for row in rows(["rctv"])] == [NETWORK, "rctv", "rctv, auto"]
    assert "--model.init_args.solver.init_args.threshold" in Row("lrmr", automatic=True).words("gaussian")
    assert "auto" not in Row("lrmr").words("gaussian")


def test_lines_show_scores_and_seconds_side_by_side() -> None:
    scores = {
        ("gaussian", "rctv"): {"psnr": 34.126, "ssim": 0.9, "sam": 8.04, "seconds": 1.5},
        ("complex", "rctv"): {"psnr": 30, "ssim": 0.8, "sam": 10},
    }
    assert "| rctv | 34.13 / 0.900 / 8.0 | 1.50 | 30.00 / 0.800 / 10.0 |  |" in summary(scores)


def test_a_finished_table_is_written_without_running_anything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("gaussian", "complex"):
        for row in rows(["rctv"]):
            folder = tmp_path / task / row.label.replace(", ", "_").replace(" ", "_")
            folder.mkdir(parents=True)
            (folder / "mean.json").write_text('{"psnr": 31.5, "ssim": 0.85, "sam": 9.5, "seconds": 0.25}')
    monkeypatch.setattr(table, "run", lambda _: pytest.fail("ran again"))
    assert table.main(["--solvers", "rctv", "--output", str(tmp_path)]) == 0
    assert "| rctv, auto | 31.50 / 0.850 / 9.5 | 0.25 |" in (tmp_path / "table.md").read_text()
