"""The `lightning` command itself: overlays, short names, round trip, and what a run leaves where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import Callback

from experiments.cli import run
from hyperalign.errors import UsageError
from tests.experiments.fakes import RemoteLogger, TinyNetwork, TinyRestorer, TinyScenes, TinyStage

TINY = ["--config", "tiny"]


def test_fit_learns_and_leaves_its_configuration_in_the_run_folder(folder: Path) -> None:
    command = run(["fit", *TINY, "--data.batch_size", "2"])
    assert command.trainer.global_step == 4
    assert isinstance(command.model, TinyRestorer)
    assert isinstance(command.datamodule, TinyScenes)
    assert isinstance(command.model.network, TinyNetwork)
    assert command.model.network.width == 5
    saved = list(folder.rglob("config.yaml"))
    assert [path.parent for path in saved] == [Path(str(command.trainer.log_dir)).resolve()]
    assert saved[0].is_relative_to(folder / "runs")
    assert sorted(path.name for path in folder.iterdir()) == ["runs", "tiny.yaml"]
    assert not list(folder.rglob("*.partial"))


def test_the_saved_configuration_repeats_the_run(folder: Path) -> None:
    first = run(["fit", *TINY, "--model.learning_rate", "0.3"])
    saved = next(folder.rglob("config.yaml"))
    second = run(["fit", "--config", str(saved)])
    assert second.trainer.log_dir != first.trainer.log_dir
    assert second.model.learning_rate == 0.3
    torch.testing.assert_close(second.model.state_dict(), first.model.state_dict(), rtol=0, atol=0)


def test_later_overlays_win_and_the_command_line_wins_over_all(folder: Path) -> None:
    (folder / "slow.yaml").write_text("model: {init_args: {learning_rate: 0.01}}\ntrainer: {max_epochs: 5}\n")
    command = run(["fit", *TINY, "--config", "slow.yaml", "--trainer.max_epochs=2"])
    assert command.model.learning_rate == 0.01
    assert command.trainer.max_epochs == 2
    assert command.model.network.width == 5


def test_short_names_and_appended_callbacks(folder: Path) -> None:
    (folder / "stage.yaml").write_text(
        "trainer:\n  callbacks+:\n  - class_path: TinyStage\n    init_args: {ratio: 2}\n"
    )
    names = ["--model", "TinyRestorer", "--model.network", "TinyNetwork", "--data", "TinyScenes"]
    stages = ["--config", "stage.yaml", "--trainer.callbacks+=TinyStage"]
    command = run(["fit", *names, *stages, "--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu"])
    callbacks: list[Callback] = vars(command.trainer)["callbacks"]
    assert [callback.ratio for callback in callbacks if isinstance(callback, TinyStage)] == [2, 3]


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `--print_config` prints, as a mapping."""
    with pytest.raises(SystemExit) as caught:
        run([*arguments, "--print_config"])
    assert caught.value.code == 0
    content: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return content


def test_print_config_goes_round_and_shows_the_defaults(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = printed(["fit", *TINY, "--trainer.callbacks+=TinyStage"], capsys)
    assert first["seed_everything"] == 0
    assert first["trainer"]["default_root_dir"] == "runs"
    assert first["weights_only"] is True
    assert first["trainer"]["callbacks"][0]["init_args"] == {"ratio": 3}
    (folder / "again.yaml").write_text(yaml.safe_dump(first))
    assert printed(["fit", "--config", "again"], capsys) == first


def test_the_yaml_wins_over_hyper_parameters_of_a_checkpoint(folder: Path) -> None:
    run(["fit", *TINY, "--model.learning_rate", "0.3"])
    checkpoint = next(folder.rglob("*.ckpt"))
    command = run(["test", *TINY, "--model.learning_rate", "0.7", "--ckpt_path", str(checkpoint)])
    assert command.trainer.callback_metrics["test/learning_rate"].item() == pytest.approx(0.7)


class SharedFolderLogger(RemoteLogger):
    """Like W&B's logger: one `save_dir` for all runs, a version for each."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version

    @property
    def save_dir(self) -> str:
        return "runs/shared"


def test_runs_of_a_logger_that_shares_its_folder_do_not_share_their_config(folder: Path) -> None:
    logger = f"--trainer.logger={__name__}.SharedFolderLogger"
    for version in ("one", "two", "two"):
        run(["fit", *TINY, logger, f"--trainer.logger.version={version}", "--trainer.enable_checkpointing=false"])
    saved = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("config*.yaml"))
    assert saved == [f"runs/shared/project/{name}.yaml" for name in ("one/config", "two/config-1", "two/config")]


def test_without_a_logger_the_config_goes_to_the_root_folder_and_none_is_overwritten(folder: Path) -> None:
    for rate in ("0.1", "0.2"):
        run(["fit", *TINY, "--trainer.logger=false", "--model.learning_rate", rate])
    rates = [
        yaml.safe_load((folder / "runs" / name).read_text())["model"]["init_args"]["learning_rate"]
        for name in ("config.yaml", "config-1.yaml")
    ]
    assert rates == [0.1, 0.2]
    assert not (folder / "config.yaml").exists()


def test_adapt_is_fit_and_test_in_one_run(folder: Path) -> None:
    command = run(["adapt", *TINY, "--verbose", "false"])
    assert command.trainer.global_step == 2
    assert command.trainer.callback_metrics["test/learning_rate"].item() == pytest.approx(0.1)
    assert [path.name for path in (folder / "runs" / "lightning_logs").iterdir()] == ["version_0"]
    assert len(list(folder.rglob("config*.yaml"))) == 1


def test_adapt_refuses_an_output_that_it_could_not_write(folder: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^The option --output writes the cubes of a folder, but the data are TinyScen"
    ):
        run(["adapt", *TINY, "--output", "out"])
    assert not list(folder.rglob("*.ckpt"))
