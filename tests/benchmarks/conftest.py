"""Benchmarks use every core, whereas the other tests keep to one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def all_cores() -> Iterator[None]:
    """As many torch threads as cores while a benchmark runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)
