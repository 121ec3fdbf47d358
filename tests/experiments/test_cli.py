"""What the user reads: help, versions, errors, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments import cli
from experiments.cli import main, overview
from tests.experiments import fakes

FAILING = ["fit", "--config", "tiny", "--model.fail", "true"]


def test_help_lists_the_commands_and_the_packaged_configs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text == overview()
    for word in ("fit", "validate", "test", "predict", "--print_config", "HYPERALIGN_TRACEBACK"):
        assert word in text


def test_packaged_configs_are_listed_by_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "packaged_configs", lambda: ["data/cave", "data/kaist", "smallest"])
    assert overview().endswith("works the same):\n  smallest\n  data/  cave kaist\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("hyperalign 0.")


def test_help_of_a_command_shows_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["test", "--help"])
    assert caught.value.code == 0
    assert "--trainer.max_epochs" in capsys.readouterr().out


def test_an_error_of_ours_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(FAILING) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "error: Scene 'balloons' has NaN values in band 3: mend or leave out this scene."


def test_the_traceback_is_shown_when_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERALIGN_TRACEBACK", "1")
    with pytest.raises(ValueError, match="balloons"):
        main(FAILING)


def test_the_traceback_of_an_error_from_elsewhere_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes, "InputError", ValueError)
    with pytest.raises(ValueError, match="balloons"):
        main(FAILING)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_module_is_the_same_command(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(cli.__file__).resolve().parent.parent
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "experiments", option],
        cwd=root, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    main([option])
    assert finished.stdout == capsys.readouterr().out
    assert "torch" not in {line.rpartition("|")[2].strip() for line in finished.stderr.splitlines()}


def test_the_help_of_no_command_waits_for_torch() -> None:
    root = Path(cli.__file__).resolve().parent.parent
    # one process for all of them, which says after which one torch is there
    lines = [
        "import contextlib, sys",
        "from experiments.cli import COMMANDS, RUNS, main",
        "for command in (*RUNS, *COMMANDS):",
        "    with contextlib.suppress(SystemExit):",
        "        main([command, '--help'])",
        "    assert 'torch' not in sys.modules, command",
    ]
    finished = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=root, capture_output=True, text=True, check=False, timeout=300
    )
    assert finished.returncode == 0, finished.stderr
    assert all(f"usage: hyperalign {command}" in finished.stdout for command in (*cli.RUNS, *cli.COMMANDS))


def test_an_interruption_is_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(given: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_dispatch", interrupted)
    assert main(["reproduce"]) == 130
    assert capsys.readouterr().err == "error: Interrupted: what was finished is kept.\n"
    monkeypatch.setenv("HYPERALIGN_TRACEBACK", "1")
    with pytest.raises(KeyboardInterrupt):
        main(["reproduce"])
