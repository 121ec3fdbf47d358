"""Guidance losses beside plain sums, and the weights of edges."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers.hir_diff.guidance import (
    denoising_guidance,
    inpainting_guidance,
    super_resolution_guidance,
    variation_weights,
)
from tests.lightning_modules.solvers.hir_diff.recorded_step import observed, recorded_step


def cubes() -> torch.Tensor:
    return torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def differences(cube: torch.Tensor, wraps: bool) -> list[list[float]]:
    """All differences along rows, columns and bands, entry by entry."""
    found: list[list[float]] = [[], [], []]
    sizes = cube.shape
    for place in ((band, row, column) for band in range(4) for row in range(8) for column in range(8)):
        for kind, axis in enumerate((1, 2, 0)):
            other = list(place)
            other[axis] += 1
            if other[axis] == sizes[axis] and not wraps:
                continue
            other[axis] %= sizes[axis]
            found[kind].append(abs(float(cube[tuple(other)] - cube[place])))
    return found


def test_losses() -> None:
    cube, observation = cubes()
    circular = sum(sum(values) for values in differences(cube, wraps=True))
    plain = sum(sum(values) / len(values) for values in differences(cube, wraps=False))
    error = float((observation - cube).square().sum())
    ones = (torch.ones(()),) * 3
    loss = denoising_guidance(observation[None], 3.0, 2.0, ones)(cube[None])
    assert float(loss) == pytest.approx((3 * error + 2 * circular) / 256)
    mask = (cubes()[:1] > 0.4).double()
    seen = float((mask[0] * (observation - cube)).square().sum() / mask.sum())
    loss = inpainting_guidance(observation[None], mask, 3.0, 2.0)(cube[None])
    assert float(loss) == pytest.approx(3 * seen + 2 * plain)
    loss = super_resolution_guidance(torch.zeros(1, 4, 2, 2).double(), 4, 0.0, 2.0)(cube[None])
    assert float(loss) == pytest.approx(2 * circular / 256)


def test_recorded_edge_weights(golden: ModuleType, shared: Path) -> None:
    _, outputs, _ = recorded_step(golden, shared)
    rows, columns, bands = variation_weights(observed(golden, "denoising")[0], 0.5)
    for ours, name in ((rows, "x"), (columns, "y")):
        recorded = outputs[f"denoise:weight_d{name}"]
        # The published joint maximum is that of the rounding noise along bands: all agree up to one factor.
        assert golden.relative_error(ours / ours.mean(), recorded / recorded.mean()) < 1e-5
    assert float(bands) == 0.5
    assert max(float(rows.max()), float(columns.max())) == 1


def test_an_image_without_edges_is_weighed_alike() -> None:
    rows, columns, _ = variation_weights(torch.ones(1, 5, 4, 4), 0.5)
    assert (rows == rows[0, 0, 0, 0]).all()
    assert torch.isfinite(columns).all()
