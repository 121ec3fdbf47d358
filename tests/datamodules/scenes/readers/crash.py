"""A file that ends the process that was to meet it in our place."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from datamodules.scenes.readers import open_cube
from tests.datamodules.scenes.make_cubes import cube_values, write_cube


def check_a_crash_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, owner: ModuleType, script: str, sentence: str
) -> None:
    """Have the helper of a kind of file crash with one: that one is named, and the next time it is read.

    Args:
        folder: for the file.
        monkeypatch: of the test.
        kind: of file.
        owner: module that asks the helper.
        script: its name for the script that the helper runs.
        sentence: pattern of what is said.
    """
    path = write_cube(folder, kind, cube_values())
    crash = folder / "crash.py"
    crash.write_text("import os, sys\nsys.stdin.readline()\nos.abort()\n")
    with monkeypatch.context() as patch:
        patch.setattr(owner, script, crash)
        with pytest.raises(ValueError, match=sentence):
            open_cube(path)
    assert open_cube(path).shape == (5, 12, 15)
