"""Distances between sets of points, against slow forms and values known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from callbacks.reporting.diagnostics.frechet import frechet_distance, nearest_distance, set_distances, spread


def cloud(seed: int, count: int, width: int, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(count, width, generator=generator) @ torch.randn(width, width, generator=generator)
    return mixed + shift


@pytest.mark.parametrize(("count", "width"), [(40, 5), (30, 30)])
def test_frechet_distance_is_that_of_the_matrix_root(count: int, width: int) -> None:
    one, other = cloud(0, count, width), cloud(1, count + 7, width, 0.5)
    first, second = (np.cov(points.double().numpy(), rowvar=False) for points in (one, other))
    root = scipy.linalg.sqrtm(first @ second)
    expected = float((one.double().mean(0) - other.double().mean(0)).square().sum())
    expected += float(np.trace(first + second - 2 * root).real)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_of_a_shift_and_of_a_stretch() -> None:
    points = cloud(0, 10, 30)
    assert frechet_distance(points, points) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(points + 0.3, points) == pytest.approx(30 * 0.3**2, rel=1e-4)
    variance = float(torch.cov(points.double().T).trace())
    centred = points - points.mean(0)
    assert frechet_distance(3 * centred, centred) == pytest.approx(4 * variance, rel=1e-5)


def test_nearest_distance_and_spread() -> None:
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    assert nearest_distance(points, torch.tensor([[0.0, 1.0], [3.0, 0.0]])) == pytest.approx((1 + 4 + 0) / 3)
    assert nearest_distance(points) == pytest.approx((1 + 18**0.5 + 1) / 3)
    assert spread(torch.tensor([[0.0, 0.0], [6.0, 8.0]])) == pytest.approx(5)


def test_too_few_points_are_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"^The Frechet distance of 1 points to 4 is undefined: give at least 2 of each"
    ):
        frechet_distance(cloud(0, 1, 3), cloud(0, 4, 3))


@pytest.mark.parametrize("clean", [True, False])
def test_sets_are_compared_with_the_clean_one_or_else_with_the_proxies(clean: bool) -> None:
    points = {"degraded": cloud(0, 9, 3, 2.0), "proxy": cloud(1, 9, 3), "clean": cloud(2, 8, 3)}
    if not clean:
        del points["clean"]
    rows = {row.set: row for row in set_distances("features", points)}
    reference = "clean" if clean else "proxy"
    assert {row.reference for row in rows.values()} == {reference}
    assert rows[reference].frechet == 0
    assert rows[reference].nearest == nearest_distance(points[reference])
    assert rows["degraded"].frechet == frechet_distance(points["degraded"], points[reference])
    assert rows["degraded"].nearest == nearest_distance(points["degraded"], points[reference])
    assert (rows["degraded"].spread, rows["degraded"].points) == (spread(points["degraded"]), 9)
