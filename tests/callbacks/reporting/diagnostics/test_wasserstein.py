"""Distances against slow independent forms, and the number of different points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from callbacks.reporting.diagnostics.wasserstein import (
    effective_number,
    line_distance,
    sinkhorn_divergence,
    sliced_distance,
)
from hyperalign.errors import InputError


@pytest.mark.parametrize(("first", "second"), [(7, 7), (5, 12), (1, 4), (30, 11)])
def test_the_distance_on_a_line_is_scipys(first: int, second: int) -> None:
    generator = torch.Generator().manual_seed(first)
    points = torch.randn(first, 3, generator=generator)
    reference = torch.randn(second, 3, generator=generator) * 2 + 1
    wanted = [wasserstein_distance(points[:, one].numpy(), reference[:, one].numpy()) for one in range(3)]
    assert np.allclose(line_distance(points, reference).numpy(), wanted)
    assert float(line_distance(points[:, 0], reference[:, 0])) == pytest.approx(wanted[0])


def test_a_shift_is_seen_along_its_share_of_every_direction() -> None:
    points = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    assert sliced_distance(points, points) == 0.0
    # the mean of |cos| over directions of the plane is 2 / pi
    assert sliced_distance(points, points + torch.tensor([3.0, 0.0]), projections=4096) == pytest.approx(
        6 / np.pi, rel=0.02
    )
    with pytest.raises(InputError, match="at least one of each"):
        sliced_distance(points[:0], points)


def test_the_sinkhorn_divergence_of_a_shift_is_the_shift() -> None:
    points = torch.rand(60, 3, generator=torch.Generator().manual_seed(1))
    assert sinkhorn_divergence(points, points) == pytest.approx(0.0, abs=1e-4)
    assert sinkhorn_divergence(points, points + torch.tensor([5.0, 0.0, 0.0])) == pytest.approx(5.0, rel=0.02)


def test_copies_count_once_and_unrelated_points_fully() -> None:
    assert effective_number(torch.eye(5)) == pytest.approx(5.0)
    assert effective_number(torch.ones(5, 3)) == pytest.approx(1.0)
    assert effective_number(torch.eye(4).repeat(3, 1)) == pytest.approx(4.0)
