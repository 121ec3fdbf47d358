"""The user's own code is found, and nothing of the user's hides this project's packages unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperalign.command.search_path import ROOT


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
        timeout=300,
        check=False,
    )


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


@pytest.mark.parametrize("name", ["experiments", "lightning_modules"])
def test_a_hidden_package_is_said_also_where_the_command_itself_would_be_hidden(name: str, tmp_path: Path) -> None:
    """A folder called `experiments` is common, and an installed command would end in a traceback about it."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    code = f"import sys; sys.path.append({str(ROOT)!r}); from hyperalign.command import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    isolated = [sys.executable, "-S", "-c", code]
    finished = subprocess.run(
        isolated, cwd=tmp_path.parent, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 2
    assert finished.stderr == (
        f"error: {tmp_path / name} hides this project's package {name}, because {tmp_path} comes first in "
        "the search path (PYTHONPATH): rename it, or take that folder out of PYTHONPATH.\n"
    )
