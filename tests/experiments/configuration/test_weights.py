"""Runs that would use weights nobody trained end in one sentence with exit status 2."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main
from experiments.configuration.weights import check_word
from hyperalign.errors import UsageError

QUIET = ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
NETWORK = ["--model", "RestorationModule", "--model.network", "torch.nn.Conv2d"]
SHAPE = [f"--model.network.{key}" for key in ("in_channels=8", "out_channels=8", "kernel_size=1")]
DATA = ["--data", "Folder", "--data.root", "in", "--data.axes", "CHW", "--data.wavelengths", "450:650:8"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one cube, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "cube.npy", np.full((8, 20, 20), 0.5, dtype=np.float32))
    return tmp_path


@pytest.mark.parametrize("command", ["test", "validate", "predict"])
def test_without_trained_weights_there_is_one_sentence(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # A folder that is tested without a config is given the packaged weights.
    data = DATA if command == "predict" else ["--data", "SampleScenes"]
    assert main([command, *NETWORK, *SHAPE, *data, *QUIET]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: The network has no trained weights to ")
    assert error.endswith("give --ckpt_path a checkpoint, or --model.init_args.source the source-trained one.")


def test_a_last_checkpoint_that_is_not_there_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", *NETWORK, *SHAPE, *DATA, *QUIET, "--ckpt_path", "last"]) == 2
    assert "error: There is no last checkpoint below runs: give --ckpt_path the path of one" in capsys.readouterr().err


def test_a_prediction_that_writes_nothing_says_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    solver = ["--config", "solvers/whitened_rctv", "--model.init_args.solver.init_args.rank", "3"]
    with caplog.at_level(logging.WARNING):
        assert main(["predict", *solver, *DATA, *QUIET]) == 0
    assert "Restored cubes are not written anywhere: give --output a folder to keep them." in caplog.text


@pytest.mark.parametrize("word", ["best", "hpc", "registry", "registry:a:version:1", "", " "])
def test_words_that_name_no_file_are_one_sentence(word: str) -> None:
    with pytest.raises(UsageError, match=r": give (--ckpt_path )?the path of "):
        check_word(word, "runs")
    check_word(None, "runs")
    check_word("last", "runs")
    check_word("best/last.ckpt", "runs")


def test_best_is_refused_by_every_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("fit", "test"):
        assert main([command, *NETWORK, *SHAPE, "--data", "SampleScenes", *QUIET, "--ckpt_path", "best"]) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("error: There is no best checkpoint to choose, as")
