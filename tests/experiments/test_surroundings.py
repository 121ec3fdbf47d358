"""The user's own code is found, and nothing of the user's hides this project's packages unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.surroundings import ROOT

NETWORK = """\
from torch import nn
class TinyNet(nn.Module):
    def __init__(self, bands: int = 4):
        super().__init__()
        self.layer = nn.Linear(bands, bands)
    def forward(self, cube):
        return self.layer(cube)
"""


def command(folder: Path, search_path: str) -> subprocess.CompletedProcess[str]:
    """A misspelt command in a process of its own, which looks for all packages before it answers."""
    code = f"import sys; sys.path.append({str(ROOT)!r}); from experiments.cli import main; sys.exit(main(['ftt']))"
    environment = {**os.environ, "PYTHONPATH": search_path}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_network_of_the_working_directory_is_named_in_yaml(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "mynet.py").write_text(NETWORK)
    (folder / "own.yaml").write_text("model: {init_args: {network: {class_path: mynet.TinyNet}}}\n")
    assert main(["fit", "--config", "tiny", "--config", "own", "--trainer.fast_dev_run", "true"]) == 0
    assert sys.path[-1] == str(folder)
    assert "TinyNet (in own.yaml) takes the place of TinyNetwork (in tiny.yaml) as model.network" in (
        capsys.readouterr().err
    )
    sys.modules.pop("mynet", None)


@pytest.mark.parametrize("name", ["callbacks/__init__.py", "callbacks/mine.py", "callbacks.py"])
def test_a_name_of_ours_in_the_working_directory_hides_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('hidden')\n")
    finished = command(tmp_path, "")
    assert (finished.returncode, finished.stderr) == (
        2,
        "error: There is no command 'ftt': the nearest one is 'fit'.\n",
    )


def test_where_pythonpath_makes_it_hide_ours_one_sentence_says_it(tmp_path: Path) -> None:
    (tmp_path / "callbacks").mkdir()
    (tmp_path / "callbacks" / "__init__.py").write_text("")
    finished = command(tmp_path, str(tmp_path))
    assert finished.returncode == 2
    assert finished.stderr == (
        f"error: {tmp_path / 'callbacks'} hides this project's package callbacks, because {tmp_path} comes first in "
        "the search path (PYTHONPATH): rename it, or take that folder out of PYTHONPATH.\n"
    )
