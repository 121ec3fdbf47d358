"""What every test shares: the torchvision repair, one torch thread, and where the reference data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it

# With several threads on a loaded machine small convolutions are up to ten times slower than with one.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference outputs and real scenes, named by the environment variable HYPERALIGN_SHARED."""
    folder = os.environ.get("HYPERALIGN_SHARED", "")
    if not folder:
        pytest.skip("HYPERALIGN_SHARED is not set: no reference data to compare with")
    if not Path(folder).is_dir():
        pytest.skip(f"HYPERALIGN_SHARED names {folder}, which is not a folder")
    return Path(folder)
