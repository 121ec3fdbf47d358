"""The table of training-free methods: its rows, its lines, and a finished one."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.commands import tables
from experiments.commands.solver_table import NETWORK, Row, main, packaged, rows, summary
from hyperalign.errors import UsageError


def test_every_packaged_solver_stands_in_both_forms_beside_the_network() -> None:
    assert {"rctv", "whitened_rctv", "lrtv", "lrtdtv", "lrtdtv_g", "enhanced_3dtv", "lrmr"} <= set(packaged())
    assert [row.label for row in rows(["rctv"])] == [NETWORK, "rctv", "rctv, auto"]
    assert "--model.solver.threshold" in Row("lrmr", automatic=True).words("gaussian")
    assert "auto" not in Row("lrmr").words("gaussian")


def test_lines_show_scores_and_seconds_side_by_side() -> None:
    lines = [
        {
            "model": "rctv",
            "task": "gaussian",
            "psnr": "34.126",
            "ssim": "0.9",
            "sam": "8.04",
            "seconds": "1.5",
            "gibibytes": "0.257",
        },
        {"model": "rctv", "task": "complex", "psnr": "30", "ssim": "0.8", "sam": "10"},
    ]
    assert "| rctv | 34.13 / 0.900 / 8.0 | 1.50 / 0.26 | 30.00 / 0.800 / 10.0 |  |" in summary(lines)


def test_a_finished_table_is_written_without_running_anything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("gaussian", "complex"):
        for name in ("source_network", "rctv", "rctv_auto"):
            folder = tmp_path / "seed_0" / task / name
            folder.mkdir(parents=True)
            (folder / "results.csv").write_text("scene,model,psnr,ssim,sam,ergas\na,x,31.5,0.85,9.5,3\n")
            (folder / "facts.json").write_text("{}" if name == "source_network" else '{"seconds": 0.25}')
    monkeypatch.setattr(tables, "run", lambda _: pytest.fail("ran again"))
    assert main(["--solvers", "rctv", "--output", str(tmp_path)]) == 0
    written = (tmp_path / "table.md").read_text()
    assert "| rctv, auto | 31.50 / 0.850 / 9.5 | 0.25 |" in written
    assert "| source network | 31.50 / 0.850 / 9.5 |  |" in written


def test_an_unknown_solver_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="There is no solver 'rctw': the nearest one is 'rctv'"):
        main(["--solvers", "rctw"])
