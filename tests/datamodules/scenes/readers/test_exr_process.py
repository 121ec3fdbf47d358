"""OpenEXR files are decoded in a process that may end without ending ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.scenes.readers import exr_process, open_cube
from tests.datamodules.scenes.make_cubes import cube_values, write_cube


def test_a_file_that_ends_the_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cube(tmp_path, "exr_half", cube_values())
    crash = tmp_path / "crash.py"
    crash.write_text("import os, sys\nsys.stdin.readline()\nos.abort()\n")
    with monkeypatch.context() as patch:
        patch.setattr(exr_process, "_DECODER", crash)
        with pytest.raises(ValueError, match=r"cube\.exr of \d+ bytes is truncated or is no OpenEXR file"):
            open_cube(path)
    assert open_cube(path).shape == (5, 12, 15)
