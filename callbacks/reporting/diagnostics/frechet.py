"""How close one set of points lies to another, and how diverse it is: the numbers behind HIR-ALIGN's Figure 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hyperalign.errors import InputError


@dataclass(frozen=True)
class SetDistances:
    """How one set lies to the reference; distances are those of the space, squared for Frechet's.

    Attributes:
        space: `features` or `spectra`.
        set: whose points.
        reference: the set they are compared with.
        points: their number.
        frechet: Frechet distance of the Gaussians.
        nearest: mean distance to the nearest reference point; of the reference itself, to its nearest other point.
        spread: root of the mean squared distance to the set's own mean.
    """

    space: str
    set: str
    reference: str
    points: int
    frechet: float
    nearest: float
    spread: float


def set_distances(space: str, points: Mapping[str, Tensor]) -> list[SetDistances]:
    """Compare every set of points with the clean one, or with the proxies' where that is not shown.

    Args:
        space: what the points are.
        points: label -> `N x D`, at least 2 points each.
    """
    reference = "clean" if "clean" in points else "proxy"
    return [
        SetDistances(
            space,
            label,
            reference,
            len(own),
            0.0 if label == reference else frechet_distance(own, points[reference]),
            nearest_distance(own, None if label == reference else points[reference]),
            spread(own),
        )
        for label, own in points.items()
    ]


def frechet_distance(points: Tensor, reference: Tensor) -> float:
    """Return the squared Frechet distance of the Gaussians with the moments of two sets (Heusel et al., 2017, as FID).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) with unbiased covariances. The trace of the root is the nuclear norm of
    A1 A2', where A are the centred points over the root of N - 1: exact, whatever the dimension. With fewer points
    than dimensions the estimate is biased upwards, so compare sets of equal numbers only.

    Args:
        points: `N x D`, at least 2.
        reference: `M x D`, at least 2.

    Raises:
        ValueError: for fewer than 2 points in either.
    """
    if min(len(points), len(reference)) < 2:
        raise InputError(
            f"The Frechet distance of {len(points)} points to {len(reference)} is undefined: give at least 2 of each."
        )
    first, second = (one.detach().cpu().double() for one in (points, reference))
    means = first.mean(0), second.mean(0)
    first = (first - means[0]) / (len(first) - 1) ** 0.5
    second = (second - means[1]) / (len(second) - 1) ** 0.5
    root = torch.linalg.svdvals(second @ first.T).sum()
    return float((means[0] - means[1]).square().sum() + first.square().sum() + second.square().sum() - 2 * root)


def nearest_distance(points: Tensor, reference: Tensor | None = None) -> float:
    """Return the mean Euclidean distance of the points to their nearest ones in a reference.

    Args:
        points: `N x D`.
        reference: `M x D`; None takes the other points of the same set, at least 2 then.
    """
    own = points.detach().cpu().double()
    distances = torch.cdist(own, own if reference is None else reference.detach().cpu().double())
    if reference is None:
        distances.fill_diagonal_(torch.inf)
    return float(distances.amin(1).mean())


def spread(points: Tensor) -> float:
    """Return the root of the mean squared distance of `N x D` points to their mean."""
    own = points.detach().cpu().double()
    return float((own - own.mean(0)).square().sum(1).mean().sqrt())
