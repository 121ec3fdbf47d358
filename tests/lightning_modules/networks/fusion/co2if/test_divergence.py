"""The Sinkhorn divergence as a number."""

from __future__ import annotations

import sys

import pytest
import torch

from lightning_modules.networks.fusion.co2if.divergence import sinkhorn_divergence
from lightning_modules.networks.fusion.co2if.sinkhorn import sinkhorn_plan
from tests.lightning_modules.networks.fusion.co2if.samples import cosine_cost, random_tokens


def entropic_cost(first: torch.Tensor, second: torch.Tensor, epsilon: float) -> float:
    """`<C, P> + epsilon KL(P | a b)` with the tested plan."""
    cost = cosine_cost(first, second)
    plan = sinkhorn_plan(cost, epsilon, tolerance=1e-12)
    relative = torch.special.xlogy(plan, plan * plan.shape[1] * plan.shape[2]).sum()
    return float((cost * plan).sum() + epsilon * relative)


def test_equals_the_debiased_cost_of_the_own_plans() -> None:
    pytest.importorskip("geomloss", reason="geomloss is not installed")
    image, text = random_tokens(1, 40, 6, 0, torch.float64), random_tokens(1, 15, 6, 1, torch.float64)
    epsilon = 0.5
    expected = entropic_cost(image, text, epsilon) - 0.5 * (
        entropic_cost(image, image, epsilon) + entropic_cost(text, text, epsilon)
    )
    found = sinkhorn_divergence(image, text, epsilon)
    assert found.shape == (1,)
    assert abs(float(found) - expected) < 0.02 * expected


def test_zero_for_equal_clouds_and_padding_does_not_count() -> None:
    pytest.importorskip("geomloss", reason="geomloss is not installed")
    image = random_tokens(2, 10, 6, 0).requires_grad_()
    assert torch.allclose(sinkhorn_divergence(image, image.detach()), torch.zeros(2), atol=1e-5)
    text = random_tokens(2, 9, 6, 1)
    mask = torch.tensor([[True] * 5 + [False] * 4] * 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        masked = sinkhorn_divergence(image, text, text_mask=mask)
    assert torch.allclose(masked, sinkhorn_divergence(image, text[:, :5]), rtol=1e-3)
    (gradient,) = torch.autograd.grad(masked.sum(), image)
    assert float(gradient.abs().max()) > 0


def test_sentence_without_geomloss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "geomloss", None)
    with pytest.raises(ModuleNotFoundError, match="needs geomloss, which is not installed; install it with"):
        sinkhorn_divergence(random_tokens(1, 3, 2, 0), random_tokens(1, 3, 2, 1))
