"""A working folder of its own for every test, with one complete small configuration in it."""

from __future__ import annotations

from pathlib import Path

import pytest

TINY = """\
model:
  class_path: tests.experiments.fakes.TinyRestorer
  init_args:
    network:
      class_path: tests.experiments.fakes.TinyNetwork
      init_args:
        width: 5
data:
  class_path: tests.experiments.fakes.TinyScenes
trainer:
  max_epochs: 1
  accelerator: cpu
  enable_progress_bar: false
  enable_model_summary: false
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of one test; `tiny.yaml` in it is a whole configuration."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path
