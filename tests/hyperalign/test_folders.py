"""The folder of a run: its own, made by one process only, also where the logger keeps all runs in one place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from hyperalign.errors import MissingFileError
from hyperalign.folders import cache_folder, claim_run_folder, run_folder


def trainer(folder: Path, logger: CSVLogger) -> Trainer:
    return Trainer(default_root_dir=folder, logger=logger, accelerator="cpu", enable_checkpointing=False)


def test_runs_started_together_get_folders_of_their_own(tmp_path: Path) -> None:
    trainers = [trainer(tmp_path, CSVLogger(tmp_path, name="runs")) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(claim_run_folder, trainers))
    folders = [run_folder(one) for one in trainers]
    assert sorted(path.name for path in folders) == [f"version_{number}" for number in range(8)]
    assert all(path.is_dir() for path in folders)


def test_a_number_that_another_process_took_meanwhile_is_passed_over(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, name="runs")
    logger._get_next_version = lambda: 0  # type: ignore[method-assign]  # it looked before the other one made it
    (tmp_path / "runs" / "version_0").mkdir(parents=True)
    one = trainer(tmp_path, logger)
    claim_run_folder(one)
    assert run_folder(one) == tmp_path / "runs" / "version_1"


def test_a_version_that_was_asked_for_is_left_alone(tmp_path: Path) -> None:
    one = trainer(tmp_path, CSVLogger(tmp_path, name="runs", version="mine"))
    claim_run_folder(one)
    assert run_folder(one) == tmp_path / "runs" / "mine"
    assert not list(tmp_path.iterdir())


def test_the_cache_is_where_variables_say_and_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("HYPERALIGN_CACHE", "/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    assert cache_folder("a", "b") == Path("/one/a/b")
    monkeypatch.delenv("HYPERALIGN_CACHE")
    assert cache_folder("a") == Path("/two/hyperalign/a")
    monkeypatch.delenv("XDG_CACHE_HOME")
    with pytest.raises(MissingFileError, match=r"^There is no folder for the cache, .*: set the variable HYPERALIGN_"):
        cache_folder()
