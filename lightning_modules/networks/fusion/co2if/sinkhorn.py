"""Entropic optimal transport between pixels and words, differentiable (CO2IF Eq. 1, its linear part).

The plan minimises `<cost, P> - epsilon * entropy(P)` over couplings of uniform marginals. With few columns (77 text
tokens) and many rows (all pixels) everything is cheapest in the column potentials alone: for potentials g (in units
of epsilon) the rows of the plan are `softmax(g - cost / epsilon)`, exact row sums included, one pass in log domain
and therefore safe in float32 at epsilon 0.01, where `cost / epsilon` reaches 200. A Sinkhorn iteration is
`g += log(wanted / column sums)`. After a few of these, the iterations are preconditioned by the M x M matrix they
ignore (the dual's curvature, damped as Levenberg and Marquardt do, each step kept only if it helps): 10 to 30
iterations then reach what takes plain Sinkhorn 60 to more than 400.

The gradient is that of the fixed point (implicit differentiation: one M x M solve), not of the iterations: memory
does not grow with their number, one plan is all that is kept.

Unbalanced (Chizat et al., "Scaling algorithms for unbalanced optimal transport problems", 2018), the columns need not
be met: their divergence from the uniform ones costs `relaxation * KL(columns | uniform)`, so that words nobody looks
like get little. Then the columns wanted follow from the potentials, `uniform * exp(-g epsilon / relaxation)`, which
adds a diagonal to the curvature and takes its null space away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hyperalign.errors import InputError

__all__ = ["sinkhorn_plan"]

PLAIN_ITERATIONS = 5
"""Sinkhorn iterations before curvature is used: they are cheap and forgive any start."""

PATIENCE = 4
"""Iterations between two questions whether all images have stopped, where an answer means waiting for the device."""

FIRST_DAMPING, RAISE, LOWER, GIVE_UP = 1e-3, 10.0, 3.0, 1e5
LONGEST_STEP = 50.0


class _Iterate(NamedTuple):
    """Potentials, what follows from them, and the distance from the wanted column sums."""

    potentials: Tensor
    rows: Tensor
    columns: Tensor
    wanted: Tensor
    error: Tensor


def _evaluate(scores: Tensor, potentials: Tensor, uniform: Tensor, give: float) -> _Iterate:
    """Row-normalised plan `B x N x M`, its column sums `B x M` (total 1) and their L1 error `B`.

    `give` is epsilon / relaxation, how far potentials move the wanted columns; 0 for balanced plans.
    """
    rows = torch.softmax(scores + potentials[:, None], dim=-1)
    columns = rows.mean(dim=1)
    wanted = uniform * (-give * potentials).exp() if give else uniform
    return _Iterate(potentials, rows, columns, wanted, (columns - wanted).abs().sum(dim=-1))


def _curvature_solve(
    rows: Tensor, wanted: Tensor, right: Tensor, damping: Tensor | None = None, give: float = 0.0
) -> Tensor:
    """Solve with the dual's curvature `diag(columns) - rows' rows / N`, `B x M`.

    The curvature is the Laplacian of a graph on text tokens. Its diagonal is summed from the other entries, so that
    nothing cancels; constants, its null space, are fixed by `wanted wanted'`; a ridge of rounding size keeps groups
    of tokens that share no pixel from exchanging rounding errors.
    """
    shared = torch.bmm(rows.transpose(1, 2), rows).double() / rows.shape[1]
    weights = shared - torch.diag_embed(shared.diagonal(dim1=1, dim2=2))
    marginal = wanted.double()
    diagonal = weights.sum(dim=-1) + 8 * torch.finfo(rows.dtype).eps * marginal.amax(dim=-1, keepdim=True)
    if damping is not None:
        diagonal = diagonal + damping.double()[:, None] * shared.sum(dim=-1)
    matrix = torch.diag_embed(diagonal + give * marginal) - weights
    if give:
        # What a padded token adds is nothing at all; it keeps its potential.
        matrix = matrix + torch.diag_embed((marginal == 0).to(matrix.dtype))
    else:
        matrix = matrix + marginal[:, :, None] * marginal[:, None]
    # Whether it worked is not asked for: a device would be waited for. A step that is no number is not accepted.
    solution: Tensor = torch.linalg.solve_ex(matrix, right.double()).result
    return solution.to(rows.dtype)


def _dual_rise(rows: Tensor, wanted: Tensor, step: Tensor, give: float) -> Tensor:
    """What a step of the potentials adds to the concave dual `wanted . g - mean log sum exp(scores + g)`, `B`.

    For unbalanced plans `wanted . g` is `-sum uniform exp(-give g) / give`, whose rise is written with the wanted
    columns before the step.
    """
    highest = step.amax(dim=-1, keepdim=True)
    growth = torch.bmm(rows, (step - highest).exp()[..., None])[..., 0]
    linear = (wanted * (step - highest)).sum(dim=-1)
    if give:
        linear = (wanted * (-torch.expm1(-give * step) / give)).sum(dim=-1) - highest[..., 0]
    return linear - growth.clamp_min(torch.finfo(rows.dtype).tiny).log().mean(dim=-1)


def _waits(device: torch.device) -> bool:
    """Whether to look at a number means waiting for a device that would else work on."""
    return device.type != "cpu"


def _choose(accept: Tensor, new: _Iterate, old: _Iterate) -> _Iterate:
    """The new iterate where accepted, else the old one, image by image."""
    if not _waits(accept.device) and bool(accept.all()):
        return new
    fields = zip(new, old, strict=True)
    return _Iterate(*(torch.where(accept.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in fields))


def _solve(scores: Tensor, uniform: Tensor, iterations: int, tolerance: float, give: float) -> _Iterate:
    """Iterate until every image's column error is within the tolerance or cannot fall in this precision."""
    smallest = torch.finfo(scores.dtype).tiny
    current = _evaluate(scores, torch.zeros_like(uniform), uniform, give)
    damping = torch.full_like(current.error, FIRST_DAMPING)
    rounding = 8 * torch.finfo(scores.dtype).eps
    # An image that has stopped stays as it is, so that further iterations change nothing.
    every = PATIENCE if _waits(scores.device) else 1
    for iteration in range(iterations):
        # Every image stops by itself: its plan must not depend on how long its batch-mates take.
        active = (current.error > tolerance) & (damping <= GIVE_UP)
        if iteration % every == 0 and not bool(active.any()):
            break
        if iteration < PLAIN_ITERATIONS:
            ratio = current.wanted.clamp_min(smallest) / current.columns.clamp_min(smallest)
            trial = _evaluate(scores, current.potentials + ratio.log() / (1 + give), uniform, give)
            current = _choose(active, trial, current)
            continue
        step = _curvature_solve(current.rows, current.wanted, current.wanted - current.columns, damping, give)
        step = step.clamp(-LONGEST_STEP, LONGEST_STEP)
        trial = _evaluate(scores, current.potentials + step, uniform, give)
        # The dual decides (far away the error may stand still or rise first), up to rounding, where the error does.
        rise = _dual_rise(current.rows, current.wanted, step, give)
        accept = active & ((rise > rounding) | ((rise > -rounding) & (trial.error < current.error)))
        damping = torch.where(active, torch.where(accept, damping / LOWER, damping * RAISE), damping)
        current = _choose(accept, trial, current)
    return current


class _Plan(torch.autograd.Function):
    """Plan from cost and real tokens, with the derivative of the fixed point."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        cost: Tensor,
        text_mask: Tensor,
        epsilon: float,
        iterations: int,
        tolerance: float,
        relaxation: float | None,
    ) -> Tensor:
        give = 0.0 if relaxation is None else epsilon / relaxation
        with torch.autocast(cost.device.type, enabled=False):
            scores = (cost * (-1 / epsilon)).masked_fill_(~text_mask[:, None], -torch.inf)
            uniform = text_mask.to(cost.dtype) / text_mask.sum(dim=1, keepdim=True)
            solved = _solve(scores, uniform, iterations, tolerance, give)
            plan = solved.rows / cost.shape[1]
        ctx.save_for_backward(plan, solved.wanted)
        ctx.epsilon, ctx.give = epsilon, give
        return plan

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None, None]:  # noqa: ANN401
        plan, wanted = ctx.saved_tensors
        pixels = plan.shape[1]
        with torch.autocast(plan.device.type, enabled=False):
            # Through the softmax to the potentials, back through the condition that the column sums stay, then to
            # the cost.
            weighted = plan * gradient
            to_potentials = weighted.sum(dim=1) - _transposed_product(plan, weighted.sum(dim=-1) * pixels)
            adjoint = _curvature_solve(plan * pixels, wanted, to_potentials, give=ctx.give)
            weighted = plan * (gradient - adjoint[:, None])
            weighted -= plan * (weighted.sum(dim=-1, keepdim=True) * pixels)
        return weighted.mul_(-1 / ctx.epsilon), None, None, None, None, None


def _transposed_product(plan: Tensor, vector: Tensor) -> Tensor:
    """`plan' vector` image by image, `B x M` from `B x N x M` and `B x N`."""
    return torch.bmm(vector[:, None], plan)[:, 0]


def sinkhorn_plan(
    cost: Tensor,
    epsilon: float = 0.01,
    iterations: int = 100,
    tolerance: float = 1e-5,
    text_mask: Tensor | None = None,
    relaxation: float | None = None,
) -> Tensor:
    """Return the entropic optimal transport plan of uniform marginals.

    Differentiable once with respect to the cost; the gradient is exact for the column sums that were reached. Costs
    of half precision are raised to float32; autocast is switched off inside. Time per iteration and memory are
    `O(B N M)`, with 4 B N M bytes kept for the backward pass.

    Args:
        cost: `B x N x M`, N pixels by M text tokens.
        epsilon: weight of the entropy, in units of the cost.
        iterations: most iterations; 35 were enough for the default tolerance with every cost tried.
        tolerance: stop when the column sums' L1 distance from uniform is at most this in every image; 0 never stops
            before the iterations are used up or rounding ends progress.
        text_mask: `B x M`, true for real text tokens; padded ones receive no mass.
        relaxation: price of the columns' divergence from uniform, in units of the cost; none for columns that must be
            met.

    Returns:
        Plan `B x N x M`, nonnegative, of sum 1; every row sums to `1 / N` to rounding, every real column to
        1 / (number of real tokens) within the tolerance, unless relaxed.

    Raises:
        ValueError: the cost is not `B x N x M` or not finite, a setting is out of range, the mask has another shape
            or leaves a caption without tokens.
    """
    if cost.ndim != 3:
        raise InputError(f"sinkhorn_plan: the cost has shape {tuple(cost.shape)}; give it as B x N x M.")
    if not epsilon > 0 or iterations < 1 or tolerance < 0 or (relaxation is not None and not relaxation > 0):
        raise InputError(
            f"sinkhorn_plan: epsilon {epsilon}, iterations {iterations}, tolerance {tolerance} or relaxation "
            f"{relaxation} is out of range; choose a positive epsilon and relaxation, at least one iteration and a "
            "tolerance of 0 or more."
        )
    cost = cost.to(torch.promote_types(cost.dtype, torch.float32))
    if text_mask is None:
        text_mask = torch.ones_like(cost[:, 0], dtype=torch.bool)
    check_text_mask(text_mask, (cost.shape[0], cost.shape[2]))
    if not bool(torch.isfinite(cost.detach()).all()):
        raise InputError(
            "sinkhorn_plan: the cost holds values that are not finite; look for NaN in the features or in the text."
        )
    differentiable: Callable[..., Tensor] = _Plan.apply
    return differentiable(cost, text_mask, epsilon, iterations, tolerance, relaxation)


def check_text_mask(text_mask: Tensor, shape: tuple[int, int]) -> None:
    """Refuse a mask of padded text tokens that cannot be used, in one sentence.

    Args:
        text_mask: `B x M`, true for real text tokens.
        shape: the wanted (B, M).

    Raises:
        ValueError: the mask is not boolean, has another shape, or leaves a caption without tokens.
    """
    if text_mask.dtype != torch.bool or tuple(text_mask.shape) != shape:
        raise InputError(
            f"The text mask is {text_mask.dtype} of shape {tuple(text_mask.shape)}; give a boolean mask of shape "
            f"{shape}, true for real tokens."
        )
    empty = (~text_mask.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise InputError(f"Caption {empty[0]} of the batch has no text token left by its mask; give a caption.")
