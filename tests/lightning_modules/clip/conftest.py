"""A tiny encoder on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lightning_modules.tiny_clip import save_tiny_encoder


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """Folder of a pipeline with a tiny vision encoder."""
    return save_tiny_encoder(tmp_path / "pipeline")
