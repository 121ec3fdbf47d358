"""OpenEXR files are decoded in a process that may end without ending ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.scenes.readers import exr_process
from tests.datamodules.scenes.readers.crash import check_a_crash_is_named


def test_a_file_that_ends_the_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = r"cube\.exr of \d+ bytes is truncated or is no OpenEXR file"
    check_a_crash_is_named(tmp_path, monkeypatch, "exr_half", exr_process, "_DECODER", sentence)
