"""A subject measured by size: what it counts, how it grows, what it refuses, what is left out."""

from __future__ import annotations

import pytest
import torch

from experiments.commands.benchmark import measured as module
from experiments.commands.benchmark.measured import Measured, exponent, measured
from experiments.commands.benchmark.subjects import SUBJECTS, Work

CPU = torch.device("cpu")


def product(side: int, bands: int, device: torch.device) -> Work:
    """Bands times a product whose terms grow with the pixels; four bands are refused."""
    if bands == 4:
        raise ValueError("not four bands")
    left, right = torch.rand(bands, side * side), torch.rand(side * side, 3)
    return lambda: left @ right


def test_sizes_grow_as_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUBJECTS, "product", product)
    found = measured("product", [32, 16, 64], [4, 8, 16], CPU)
    assert [(size.side, size.bands, size.products) for size in found.by_side] == [
        (side, 8, 2 * 8 * side * side * 3) for side in (16, 32, 64)
    ]
    assert [(size.side, size.bands) for size in found.by_bands] == [(16, 8), (16, 16)]
    assert found.refused == {"16 x 16 x 4": "ValueError: not four bands"}
    assert found.reference == found.by_side[-1]
    assert exponent([size.side**2 for size in found.by_side], [size.products for size in found.by_side]) == (
        pytest.approx(1)
    )
    assert Measured.read(found.content()) == found


def test_no_larger_size_follows_one_that_took_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUBJECTS, "product", product)
    monkeypatch.setattr(module, "fewest_seconds", lambda work, device, **_: 5.0)
    found = measured("product", [16, 32], [8], CPU, longest=4)
    assert [size.side for size in found.by_side] == [16]
    assert found.refused == {"32 x 32 x 8": "left out, since the size before took 5 s"}


def test_the_exponent_is_the_slope_between_logarithms() -> None:
    assert exponent([1, 2, 4, 8], [3 * size**1.5 for size in (1, 2, 4, 8)]) == pytest.approx(1.5)
    assert exponent([4], [2]) is None
    assert exponent([4, 4], [2, 3]) is None
