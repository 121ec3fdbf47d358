"""The adaptation's part of the check: its command line is understood; slowly, the whole of it on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from experiments.cli import run
from experiments.commands.gpu_check.checks import adaptation
from tests.experiments.commands.gpu_check.quick_task import lines_of, quick_task


@pytest.mark.parametrize("settings", [adaptation.SMALL, adaptation.FULL])
def test_the_command_is_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: tuple[str, ...]
) -> None:
    words = adaptation.words_of(tmp_path / "run", tmp_path / "cache", "bf16-mixed", settings, "cuda")
    with pytest.raises(SystemExit):
        run([*words, "--print_config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["trainer"]["accelerator"] == "gpu"
    assert printed["trainer"]["precision"] == "bf16-mixed"
    assert printed["synthesis"]["class_path"].endswith("DistributionAdaptiveSynthesis")
    assert printed["proxy"]["init_args"]["store"] == str(tmp_path / "run" / "store")


def test_scores_are_means_by_set_and_model(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(
        "test_set,scene,model,psnr\nobserved,a,adapted,30\nobserved,b,adapted,32\nobserved,a,source-only,20\n"
    )
    assert adaptation._scores(tmp_path / "results.csv") == {"observed": 31.0, "source observed": 20.0}


@pytest.mark.slow
def test_small_runs_are_compared(tmp_path: Path) -> None:
    task = quick_task(tmp_path, "adaptation")
    adaptation.check(task)
    lines = lines_of(task)
    assert lines["PSNR of the small run as on a CPU"].figures == {"decibels apart": 0.0}
    assert lines["small, bf16-mixed"].figures["steps"] == 4
