"""Cubes that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datamodules.scenes.readers import open_cube


def refused(path: Path, sentence: str, **options: Any) -> None:  # noqa: ANN401
    """Make sure that opening and reading a cube is refused with one sentence."""
    with pytest.raises(ValueError, match=sentence) as refusal:
        open_cube(path, **options).window(0, 0, 1, 1)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).rstrip().endswith(".")
