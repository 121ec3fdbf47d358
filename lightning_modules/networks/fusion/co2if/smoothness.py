"""Plans that are smooth over the image: the gradient term of CO2IF's transport problem (Eq. 1).

The objective is `<C, P> - epsilon * entropy(P) + beta / N * sum over pixels of |grad R|^2` with R = N P the
row-normalised plan (what every pixel takes of every word), on the H x W lattice of pixels. Measured on R, beta does not
depend on the size of the image. It is minimised by generalised conditional gradient (Bredies, Lorenz, Maass, "A
generalized conditional gradient method and its connection to an iterative shrinkage method", 2009): linearise the
quadratic term, which turns the cost into `C + 2 beta L(R)` (L the lattice's graph Laplacian), solve that entropic
problem, and move towards its plan.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.co2if.sinkhorn import sinkhorn_plan

__all__ = ["lattice_laplacian", "smooth_plan", "total_variation"]

NEGLIGIBLE = 1e-4
"""A change of what a pixel takes of a word that is too small to search a step length for."""


def _differences(values: Tensor, lattice: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Differences of vertical and of horizontal neighbours of `B x (H W) x M`."""
    grid = values.unflatten(1, lattice)
    return grid[:, 1:] - grid[:, :-1], grid[:, :, 1:] - grid[:, :, :-1]


def lattice_laplacian(values: Tensor, lattice: tuple[int, int]) -> Tensor:
    """Return the graph Laplacian on the image: (number of neighbours) * value - sum of the four neighbours' values.

    Args:
        values: `B x (H W) x M`.
        lattice: (H, W).

    Returns:
        `B x (H W) x M`, half the derivative of the summed squared differences of neighbours; pixels beyond the edge
        do not exist.
    """
    down, right = _differences(values, lattice)
    vertical = functional.pad(down, (0, 0, 0, 0, 1, 0)) - functional.pad(down, (0, 0, 0, 0, 0, 1))
    horizontal = functional.pad(right, (0, 0, 1, 0)) - functional.pad(right, (0, 0, 0, 1))
    return (vertical + horizontal).flatten(1, 2)


def total_variation(plan: Tensor, lattice: tuple[int, int]) -> Tensor:
    """Return the sum of absolute differences of neighbouring pixels.

    Args:
        plan: `B x (H W) x M`.
        lattice: (H, W).

    Returns:
        `B`.
    """
    return torch.stack([part.abs().sum(dim=(1, 2, 3)) for part in _differences(plan, lattice)]).sum(dim=0)


def _step_length(plan: Tensor, target: Tensor, beta: Tensor, epsilon: float, lattice: tuple[int, int]) -> Tensor:
    """Step from the plan towards the target that is sure to lower the objective, `B x 1 x 1` in (0, 1].

    Entropy is concave, so along the step s the objective falls by at least `s * gap - s^2 * curve`, where the gap is
    `epsilon * KL(plan | target)` because the target solves the linearised problem. The best s is in closed form and
    differentiable.
    """
    pixels = plan.shape[1]
    smallest = 1e-30
    change = target - plan
    # The quotient's own derivative, plan / target^2, leaves the range of float32 where a word all but leaves a pixel.
    divergence = plan * (plan.clamp_min(smallest).log() - target.clamp_min(smallest).log()) + change
    gap = epsilon * divergence.sum(dim=(1, 2), keepdim=True)
    curve = beta * pixels * (change * lattice_laplacian(change, lattice)).sum(dim=(1, 2), keepdim=True)
    matters = (change.detach().abs().amax(dim=(1, 2), keepdim=True) * pixels > NEGLIGIBLE) & (curve > 0)
    step = (gap / (2 * torch.where(matters, curve, 1))).clamp(0, 1)
    return torch.where(matters, step, 1)


def smooth_plan(
    cost: Tensor,
    lattice: tuple[int, int],
    beta: Tensor,
    epsilon: float = 0.01,
    iterations: int = 100,
    tolerance: float = 1e-5,
    text_mask: Tensor | None = None,
    outer_steps: int = 2,
    relaxation: float | None = None,
) -> Tensor:
    """Return the entropic transport plan with the gradient-smoothness term of Eq. 1.

    Args:
        cost: `B x (H W) x M`.
        lattice: (H, W).
        beta: weight of the smoothness, a nonnegative scalar tensor; may require a gradient. At epsilon 0.01, two
            steps smooth most for beta near 0.1; beyond, the steps that are sure to help become short and more are
            needed (60 for beta 1).
        epsilon: weight of the entropy, in units of the cost.
        iterations: most Sinkhorn iterations of each of the `outer_steps + 1` plans.
        tolerance: of their column sums.
        text_mask: `B x M`, true for real text tokens.
        outer_steps: steps of generalised conditional gradient; 0 ignores beta.
        relaxation: of the columns, see `sinkhorn_plan`; its cost is part of the objective, and being convex it only
            makes the step that is taken safer.

    Returns:
        Plan `B x (H W) x M` with the marginals of `sinkhorn_plan`; no step raises the objective, therefore the summed
        squared differences of neighbouring pixels are at most those of the plan without the term.

    Raises:
        ValueError: the lattice does not have as many pixels as the cost has rows, or as `sinkhorn_plan`.
    """
    if lattice[0] * lattice[1] != cost.shape[1]:
        raise InputError(
            f"smooth_plan: the cost has {cost.shape[1]} rows but the image is {lattice[0]} x {lattice[1]}; "
            "give one row per pixel."
        )
    plan = sinkhorn_plan(cost, epsilon, iterations, tolerance, text_mask, relaxation)
    for _ in range(outer_steps):
        slope = cost + 2 * beta * lattice_laplacian(plan * cost.shape[1], lattice)
        target = sinkhorn_plan(slope, epsilon, iterations, tolerance, text_mask, relaxation)
        plan = plan + _step_length(plan, target, beta, epsilon, lattice) * (target - plan)
    return plan
