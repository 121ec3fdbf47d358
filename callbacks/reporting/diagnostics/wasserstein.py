"""Distances between two sets of points: exact on a line, sliced in space, and geomloss' Sinkhorn divergence."""

from __future__ import annotations

import torch
from torch import Tensor

from hyperalign.errors import InputError

PROJECTIONS = 128
"""Directions of the sliced distance."""


def line_distance(points: Tensor, reference: Tensor) -> Tensor:
    """Return the 1-Wasserstein distance of two sets of numbers, exactly: the area between their distribution functions.

    Args:
        points: `N` or `N x D`; columns are compared one by one.
        reference: `M` or `M x D`.

    Returns:
        A number, or `D` of them.

    Raises:
        InputError: for an empty set.
    """
    if min(len(points), len(reference)) < 1:
        raise InputError("The distance of an empty set of points is undefined: give at least one of each.")
    first, second = (one.detach().double().sort(0).values for one in (points, reference))
    if len(first) == len(second):
        return (first - second).abs().mean(0)
    # Quantile functions of both are constant between the fractions at which either one steps.
    steps = torch.cat([torch.arange(1, len(one) + 1, dtype=torch.float64) / len(one) for one in (first, second)])
    ends = steps.unique()
    widths = ends.diff(prepend=ends.new_zeros(1))
    middle = ends - widths / 2
    values = [one[(middle * len(one)).long().clamp(max=len(one) - 1)] for one in (first, second)]
    found: Tensor = torch.tensordot(widths, (values[0] - values[1]).abs(), dims=1)
    return found


def sliced_distance(points: Tensor, reference: Tensor, seed: int = 0, projections: int = PROJECTIONS) -> float:
    """Return the sliced 1-Wasserstein distance: the mean of the exact ones along random directions.

    Args:
        points: `N x D`.
        reference: `M x D`.
        seed: of the directions, so that distances to one reference can be compared.
        projections: number of directions.

    Raises:
        InputError: for an empty set.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(points.shape[1], projections, dtype=torch.float64, generator=generator)
    directions = directions / directions.norm(dim=0)
    first, second = (one.detach().cpu().double() @ directions for one in (points, reference))
    return float(line_distance(first, second).mean())


def sinkhorn_divergence(points: Tensor, reference: Tensor, blur: float = 0.01) -> float:
    """Return geomloss' debiased Sinkhorn divergence with the Euclidean distance as cost (p = 1).

    Args:
        points: `N x D`.
        reference: `M x D`.
        blur: scale below which points are not told apart, in the points' units.
    """
    from geomloss import SamplesLoss

    loss = SamplesLoss("sinkhorn", p=1, blur=blur, backend="tensorized")
    return float(loss(points.detach().cpu().float().contiguous(), reference.detach().cpu().float().contiguous()))


def effective_number(points: Tensor) -> float:
    """Return how many different points a set holds: the exponential entropy of its similarities' eigenvalues.

    Copies count once, unrelated points fully (the Vendi score, Friedman and Dieng 2023, of cosine similarity). It
    stands for the effective number of views m_eff of HIR-ALIGN's Eq. 42, which the paper does not define any closer.

    Args:
        points: `N x D`, at least one; a point of zeros is like itself alone.
    """
    unit = torch.nn.functional.normalize(points.detach().cpu().double().flatten(1), dim=1)
    values = torch.linalg.svdvals(unit).square()
    shares = values / values.sum().clamp(min=1e-300)
    shares = shares[shares > 0]
    return float((-(shares * shares.log()).sum()).exp()) if len(shares) else 0.0
