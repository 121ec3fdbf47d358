"""Reference drawing code and a small in-memory data module shared by the tests of modules and networks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def golden(shared: Path) -> ModuleType:
    """Module that draws the weights and inputs of the reference outputs."""
    spec = importlib.util.spec_from_file_location("golden", shared / "golden" / "golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
