"""The proximal step of the isotropic total variation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.solvers import band_total_variation
from lightning_modules.solvers.band_total_variation import smoothed_bands


def objective(image: Tensor, given: Tensor, weight: float) -> float:
    rows, columns = torch.zeros_like(image), torch.zeros_like(image)
    rows[:-1], columns[:, :-1] = image.diff(dim=0), image.diff(dim=1)
    return float(0.5 * (image - given).square().sum() + weight * (rows.square() + columns.square()).sqrt().sum())


def test_objective_is_near_its_least(monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.randn(1, 12, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    twenty = objective(smoothed_bands(given, torch.tensor([0.3], dtype=torch.float64))[0], given[0], 0.3)
    monkeypatch.setattr(band_total_variation, "STEPS", 3000)
    monkeypatch.setattr(band_total_variation, "LEAST_CHANGE", 0.0)
    least = objective(smoothed_bands(given, torch.tensor([0.3], dtype=torch.float64))[0], given[0], 0.3)
    assert least <= twenty < 1.01 * least
    assert twenty < objective(given[0], given[0], 0.3)


def test_the_mean_is_kept_and_a_large_weight_gives_it() -> None:
    given = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    smooth = smoothed_bands(given, torch.tensor([0.5], dtype=torch.float64))
    assert torch.allclose(smooth.mean(), given.mean())
    assert smooth.std() < 0.5 * given.std()


def test_images_do_not_know_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.rand(5, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.tensor([0.01, 0.3, 0.05, 1.0, 0.1], dtype=torch.float64)
    together = smoothed_bands(given, weight)
    monkeypatch.setattr(band_total_variation, "IN_CACHE", 1)
    assert torch.allclose(smoothed_bands(given, weight), together, atol=1e-14)
