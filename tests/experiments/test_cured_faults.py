"""Faults that users met once, each by the command that showed it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.loggers import CSVLogger

from experiments.cli import main, run
from tests.experiments.compact_co2if import COMPACT
from tests.experiments.fakes import RemoteLogger
from tests.experiments.small_fusion import small_data

QUIET = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]


def test_adapted_fusion_is_tested_with_pictures_in_tiles(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("open_clip")
    small = small_data(folder, patches=2)
    small["model"] = {"init_args": {"network": {"init_args": COMPACT}, "tile": 16}}
    (folder / "small.yaml").write_text(yaml.safe_dump(small))
    network = ["--config", "co2if/cave", "--config", "co2if/compact"]
    common = ["--config", "small", "--data.root", "cave", *QUIET, "--trainer.logger", "false"]
    fit = run(["fit", *network, *common, "--data.patch_size", "16", "--trainer.check_val_every_n_epoch", "1"])
    torch.save({key: one for key, one in fit.model.network.state_dict().items()}, "source.pt")
    target = ["--data.observed", "[balloons]", "--data.unobserved", "[cloth]", "--data.crop", "32"]
    target += ["--data.training", "null", "--data.validation", "null", "--trainer.default_root_dir", "tested"]
    recipes = ["--config", "hir_align/adapt", "--config", "co2if/adapt"]
    capsys.readouterr()
    assert main(["test", *network, *recipes, *common, *target, "--model.source", "source.pt"]) == 0
    rows = list(csv.DictReader((folder / "tested" / "results.csv").open()))
    assert {(row["test_set"], row["scene"]) for row in rows} == {("observed", "balloons"), ("unobserved", "cloth")}
    assert (folder / "tested" / "pictures" / "unobserved" / "cloth.png").is_file()
    assert capsys.readouterr().out.count("PSNR") < 3  # one table


def test_runs_of_a_logger_without_folders_keep_apart_and_show_their_pictures(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RemoteLogger, "number", 0)
    monkeypatch.setattr(RemoteLogger, "shown", [])
    (folder / "small.yaml").write_text(yaml.safe_dump(small_data(folder, patches=2)))
    words = [
        "test",
        "--config",
        "solvers/rctv",
        "--config",
        "data/cave",
        "--config",
        "tasks/gaussian",
        "--config",
        "small",
    ]
    words += ["--data.root", "cave", "--trainer.logger", "tests.experiments.fakes.RemoteLogger", *QUIET]
    for seed in ("1", "2"):
        assert main([*words, "--results", "ResultsTable", "--pictures", "Pictures", "--data.seed", seed]) == 0
    tables = [folder / "remote" / "project" / f"run{number}" / "results.csv" for number in (1, 2)]
    assert [path.is_file() for path in tables] == [True, True]
    assert tables[0].read_text() != tables[1].read_text()
    assert "pictures/validation/flowers" in RemoteLogger.shown
    assert len(RemoteLogger.shown) == 2 * len(set(RemoteLogger.shown))


def test_fits_that_saw_the_same_number_free_keep_both_checkpoints(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CSVLogger, "_get_next_version", lambda self: 0)
    logger = ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "runs", "--trainer.logger.name", "x"]
    for _ in range(2):
        assert main(["fit", "--config", "tiny", *logger]) == 0
    kept = sorted(path.relative_to(folder / "runs" / "x") for path in (folder / "runs" / "x").rglob("*.ckpt"))
    assert [path.parts[0] for path in kept] == ["version_0", "version_1"]


def test_what_a_class_says_about_its_arguments_is_said_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "co2if/cave", "--config", "co2if/compact", "--model.tile", "2", *QUIET]) == 2
    sentence = "error: FusionModule got tile=2: give at least 16 pixels, or null for whole scenes."
    assert capsys.readouterr().err.splitlines()[-1] == sentence
