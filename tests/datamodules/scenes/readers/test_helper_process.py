"""Helpers may end or come to no end with a file without taking ours along, and one serves many files."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers import exr_process, helper_process, open_cube
from datamodules.scenes.readers.helper_process import HelperEndedError, ask_helper, end_helpers
from hyperalign.errors import FileAccessError
from tests.datamodules.scenes.make_cubes import cube_values, write_cube


def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    cube = open_cube(write_cube(tmp_path, "exr_half", cube_values()))
    first = helper_process._running[exr_process._DECODER].process
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert np.array_equal(cube.window(0, 0, 12, 15), cube_values())
    assert helper_process._running[exr_process._DECODER].process.pid != first.pid


def test_one_that_is_silent_is_ended_and_signs_of_life_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "slow.py"
    script.write_text(
        "import sys, time\n"
        "for line in sys.stdin:\n"
        "    if 'silent' in line:\n"
        "        time.sleep(600)\n"
        "    for _ in range(4):\n"
        "        time.sleep(0.5)\n"
        "        print('.', end='', flush=True)\n"
        "    print('{}', flush=True)\n"
    )
    ask_helper(script, tmp_path, ["first"])
    monkeypatch.setattr(helper_process, "PATIENCE_SECONDS", 1.8)
    assert ask_helper(script, tmp_path, ["a"]) == ({}, [])
    with pytest.raises(HelperEndedError, match="silent"):
        ask_helper(script, tmp_path, ["silent"])
    assert script not in helper_process._running


def test_one_that_cannot_be_started_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(FileAccessError, match="cannot be started"):
        ask_helper(tmp_path / "script.py", tmp_path / "a.exr", [])


def test_all_are_ended_together(tmp_path: Path) -> None:
    script = tmp_path / "echo.py"
    script.write_text("import sys\nfor line in sys.stdin:\n    print('{}', flush=True)\n")
    ask_helper(script, tmp_path, [])
    process = helper_process._running[script].process
    end_helpers()
    assert process.poll() is not None
