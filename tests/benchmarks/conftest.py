"""Benchmarks use every core where they are measured, whereas all tests keep to one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def all_cores(request: pytest.FixtureRequest) -> Iterator[None]:
    """As many torch threads as cores while a benchmark runs, and only then."""
    if not request.config.getoption("benchmark_only"):
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)
