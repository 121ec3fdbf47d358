"""OpenEXR files are decoded in a process that may end without ending ours."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers import exr_process, open_cube
from tests.datamodules.scenes.make_cubes import cube_values, write_cube


def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    cube = open_cube(write_cube(tmp_path, "exr_half", cube_values()))
    first = exr_process._running[0].process.pid
    os.kill(first, signal.SIGKILL)
    exr_process._running[0].process.wait()
    assert np.array_equal(cube.window(0, 0, 12, 15), cube_values())
    assert exr_process._running[0].process.pid != first


def test_a_file_that_ends_the_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cube(tmp_path, "exr_half", cube_values())
    crash = tmp_path / "crash.py"
    crash.write_text("import os, sys\nsys.stdin.readline()\nos.abort()\n")
    with monkeypatch.context() as patch:
        patch.setattr(exr_process, "_DECODER", crash)
        exr_process.end_decoder()
        with pytest.raises(ValueError, match=r"cube\.exr of \d+ bytes is truncated or is no OpenEXR file"):
            open_cube(path)
    assert open_cube(path).shape == (5, 12, 15)


def test_a_file_with_which_it_comes_to_no_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cube(tmp_path, "exr_half", cube_values())
    hang = tmp_path / "hang.py"
    hang.write_text("import time\ntime.sleep(60)\n")
    with monkeypatch.context() as patch:
        patch.setattr(exr_process, "_DECODER", hang)
        patch.setattr(exr_process, "PATIENCE_SECONDS", 0.2)
        exr_process.end_decoder()
        with pytest.raises(ValueError, match="is truncated or is no OpenEXR file"):
            open_cube(path)
    assert open_cube(path).shape == (5, 12, 15)
