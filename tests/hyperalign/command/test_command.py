"""The entrance: what the installed command calls answers as the command line itself does."""

from __future__ import annotations

import sys
import tomllib

import pytest

from hyperalign.command import main
from hyperalign.command.search_path import ROOT


def test_the_installed_commands_lead_through_the_entrance() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert set(scripts) == {"hyperalign", "lightning"}
    assert set(scripts.values()) == {"hyperalign.command:main"}


def test_what_the_command_answers_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["hyperalign", "ftt"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main() == 2
    assert capsys.readouterr().err == "error: There is no command 'ftt': the nearest one is 'fit'.\n"
