"""The packaged HIR-ALIGN experiments, end to end through the command line at a size for tests."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from experiments.cli import run
from experiments.commands import study
from lightning_modules import read_weights
from tests.experiments.small_hir_align import SMALL


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return ["--data.init_args.cache", str(tmp_path_factory.mktemp("cache"))]


@pytest.mark.parametrize("task", ["complex", "super_resolution", "deblurring", "band_missing", "inpainting"])
def test_pretraining_runs_for_every_task_and_its_checkpoint_is_read_safely(
    task: str, tmp_path: Path, cache: list[str]
) -> None:
    backbone = "backbones/sert_compact_x4" if task == "super_resolution" else "backbones/sert_compact"
    configs = [backbone, "data/sample_scenes", f"tasks/{task}", "hir_align/pretrain"]
    words = [word for name in configs for word in ("--config", name)]
    scenes = ["--data.init_args.training=[astronaut_01]", "--data.init_args.validation=[shuttle_01]"]
    command = run(
        ["fit", *words, *SMALL, *cache, *scenes, "--trainer.max_epochs=1", f"--trainer.default_root_dir={tmp_path}"]
    )
    assert 0 < command.trainer.callback_metrics["train/loss"] < 1
    last = command.trainer.checkpoint_callback.last_model_path  # type: ignore[union-attr]
    assert any(name.endswith("conv_last.weight") for name in read_weights(Path(last)))


def test_study_runs_every_row_writes_its_table_and_goes_on_where_it_stopped(tmp_path: Path, cache: list[str]) -> None:
    small = ["--data.init_args.crop=48", "--data.init_args.patch_size=32", "--data.init_args.patches_per_epoch=4"]
    small += ["--synthesis.init_args.transfer.init_args.steps=2", "--synthesis.init_args.ratio=1"]
    words = [
        "gaussian",
        "--data",
        "data/sample_scenes",
        "--output",
        str(tmp_path),
        "--recipes",
        "paper",
        *cache,
        *small,
    ]
    assert study.main(words) == 0
    table = (tmp_path / "table.md").read_text()
    labels = ["source-only", "proxy only", "generated only", "mixed, round 1", "mixed, round 2", "mixed, round 3"]
    for label in [*labels, study.UPPER_BOUND]:
        assert table.count(f"| {label} | observed |") == 1
        assert table.count(f"| {label} | unobserved |") == 1
    with (tmp_path / "scenes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7 * 6
    # Every finetuning changed the network, and each round went on from the one before.
    assert len({row["psnr"] for row in rows if row["scene"] == "motorcycle_01"}) == 7
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ckpt")}
    assert study.main(words) == 0
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ckpt")}
    assert (tmp_path / "table.md").read_text() == table
