"""The projection onto the simplex beside its definition."""

from __future__ import annotations

import torch

from lightning_modules.solvers.simplex import onto_simplex


def sorted_projection(column: torch.Tensor) -> torch.Tensor:
    descending = column.sort(descending=True).values.tolist()
    best, total = 0.0, 0.0
    for count, value in enumerate(descending, start=1):
        total += value
        if value > (total - 1) / count:
            best = (total - 1) / count
    return (column - best).clamp_min(0)


def test_projection() -> None:
    columns = torch.randn(7, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    columns[:, 0], columns[:, 1], columns[0, 2] = 0.0, 5.0, 1e6
    projected = onto_simplex(columns)
    assert (projected.sum(0) - 1).abs().max() < 1e-10
    expected = torch.stack([sorted_projection(column) for column in columns.T], dim=1)
    assert (projected - expected).abs().max() < 1e-9
    assert (onto_simplex(projected) - projected).abs().max() < 1e-12
