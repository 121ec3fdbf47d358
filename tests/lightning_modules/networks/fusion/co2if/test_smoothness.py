"""Smooth plans: the lattice's Laplacian, what beta does, and gradients through everything."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.fusion.co2if.mutual_information import MutualInformationForm, transport_cost
from lightning_modules.networks.fusion.co2if.sinkhorn import sinkhorn_plan
from lightning_modules.networks.fusion.co2if.smoothness import lattice_laplacian, smooth_plan, total_variation
from tests.lightning_modules.networks.fusion.co2if.samples import cosine_cost, image_like_tokens, random_tokens

LATTICE = (16, 12)


def roughness(plan: Tensor, lattice: tuple[int, int]) -> Tensor:
    """Summed squared differences of neighbours."""
    grid = plan.unflatten(1, lattice)
    squares: Tensor = (grid[:, 1:] - grid[:, :-1]).square().sum() + (grid[:, :, 1:] - grid[:, :, :-1]).square().sum()
    return squares


def noisy_cost() -> Tensor:
    image = image_like_tokens(16, 8, 0).unflatten(1, (16, 16))[:, :, :12].flatten(1, 2)
    return cosine_cost(image + 0.5 * random_tokens(1, 192, 8, 2), random_tokens(1, 11, 8, 1))


def test_laplacian_is_half_the_derivative_of_the_roughness() -> None:
    values = random_tokens(2, 192, 3, 0, torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(roughness(values, LATTICE), values)
    assert torch.allclose(lattice_laplacian(values, LATTICE), gradient / 2, atol=1e-12)
    assert torch.equal(lattice_laplacian(torch.ones(1, 192, 3), LATTICE), torch.zeros(1, 192, 3))


def test_total_variation_of_a_step_edge() -> None:
    grid = torch.zeros(1, 4, 5, 1)
    grid[:, :, 3:] = 2.0
    assert total_variation(grid.flatten(1, 2), (4, 5)).tolist() == [8.0]


@pytest.mark.parametrize("beta", [0.003, 0.03, 1.0, 30.0])
def test_beta_lowers_total_variation_and_the_objective(beta: float) -> None:
    cost, epsilon = noisy_cost().double(), 0.01

    def objective(plan: Tensor) -> float:
        entropy = -torch.special.xlogy(plan, plan).sum()
        smooth = beta * roughness(plan * 192, LATTICE) / 192
        return float((cost * plan).sum() - epsilon * entropy + smooth)

    plans = [smooth_plan(cost, LATTICE, torch.tensor(beta), epsilon, outer_steps=steps) for steps in range(4)]
    values = [objective(plan) for plan in plans]
    assert torch.equal(plans[0], sinkhorn_plan(cost, epsilon))
    # No step may raise the objective, up to the tolerance of the column sums.
    assert all(after < before + 1e-6 for before, after in itertools.pairwise(values))
    assert values[2] < values[0] - 1e-4 * min(1, beta / 0.03)
    wanted = {0.003: 0.99, 0.03: 0.85, 1.0: 0.95, 30.0: 1.0}[beta]
    assert float(total_variation(plans[2], LATTICE)) < wanted * float(total_variation(plans[0], LATTICE))
    assert float(roughness(plans[2], LATTICE)) < wanted * float(roughness(plans[0], LATTICE))


def test_marginals_stay() -> None:
    mask = torch.tensor([[True] * 7 + [False] * 4])
    plan = smooth_plan(noisy_cost(), LATTICE, torch.tensor(0.05), text_mask=mask)
    assert float((plan.sum(dim=2) * 192 - 1).abs().max()) < 1e-6
    assert float((plan.sum(dim=1) - mask / 7).abs().sum()) < 1e-4
    assert bool((plan >= 0).all())
    assert float(plan[:, :, 7:].abs().max()) == 0


def test_without_beta_the_plan_is_the_plain_one() -> None:
    plain = sinkhorn_plan(noisy_cost())
    assert torch.allclose(smooth_plan(noisy_cost(), LATTICE, torch.tensor(0.0)), plain, atol=1e-9)


@pytest.mark.parametrize(("beta", "form"), [(0.005, "pointwise"), (0.5, "pointwise"), (0.5, "global")])
def test_gradcheck_from_tokens_to_plan(beta: float, form: MutualInformationForm) -> None:
    image, text = random_tokens(1, 6, 3, 0, torch.float64), random_tokens(1, 4, 3, 1, torch.float64)

    def plan(image: Tensor, text: Tensor, beta: Tensor) -> Tensor:
        cost = transport_cost(image, text, form, temperature=0.3)
        return smooth_plan(cost, (2, 3), beta, epsilon=0.1, iterations=300, tolerance=1e-13)

    inputs = [value.requires_grad_() for value in (image, text, torch.tensor(beta, dtype=torch.float64))]
    assert torch.autograd.gradcheck(plan, inputs, atol=1e-6)


def test_an_even_image_has_a_finite_gradient() -> None:
    image = random_tokens(1, 1, 8, 0).repeat(1, 192, 1).requires_grad_()
    beta = torch.tensor(0.1, requires_grad=True)
    plan = smooth_plan(transport_cost(image, random_tokens(1, 11, 8, 1)), LATTICE, beta)
    gradients = torch.autograd.grad((plan * random_tokens(1, 192, 11, 2)).sum(), (image, beta))
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_sentence() -> None:
    with pytest.raises(ValueError, match="the cost has 192 rows but the image is 5 x 5; give one row per pixel"):
        smooth_plan(noisy_cost(), (5, 5), torch.tensor(0.1))


@pytest.mark.parametrize("beta", [0.02, 0.06, 0.1])
def test_gradients_are_finite_where_smoothing_takes_a_word_from_a_pixel(beta: float) -> None:
    generator = torch.Generator().manual_seed(0)
    cost = (torch.rand(1, 64, 6, generator=generator) * 1.2).requires_grad_()
    weight = torch.tensor(beta, requires_grad=True)
    plan = smooth_plan(cost, (8, 8), weight)
    (plan * torch.randn(plan.shape, generator=generator)).sum().backward()
    assert cost.grad is not None
    assert weight.grad is not None
    assert bool(torch.isfinite(cost.grad).all())
    assert bool(torch.isfinite(weight.grad))
