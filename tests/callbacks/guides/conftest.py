"""A tiny unCLIP checkpoint on disk, and its components."""

from __future__ import annotations

import pytest
import torch

from callbacks.guides.unclip_parts import UnCLIPParts, Weights, load_parts
from tests.callbacks.guides.tiny_unclip import saved_pipeline


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of the tiny pipeline; to be copied before it is changed."""
    return saved_pipeline(tmp_path_factory.mktemp("unclip"))


@pytest.fixture
def parts(checkpoint: str) -> UnCLIPParts:
    """Its components in float32, read anew."""
    return load_parts(Weights(checkpoint, local_files_only=True), torch.float32)
