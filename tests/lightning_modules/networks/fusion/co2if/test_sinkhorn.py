"""Entropic plan: marginals, agreement with textbook Sinkhorn, geomloss and an exact linear programme, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from lightning_modules.networks.fusion.co2if import sinkhorn
from lightning_modules.networks.fusion.co2if.sinkhorn import sinkhorn_plan
from tests.lightning_modules.networks.fusion.co2if.samples import cosine_cost, costs, plain_sinkhorn, random_tokens

KINDS = ("random", "smooth", "far", "blocks", "repeated")


@pytest.mark.parametrize("kind", KINDS)
def test_marginals_at_small_epsilon_in_float32(kind: str) -> None:
    plan = sinkhorn_plan(costs(kind), epsilon=0.01)
    assert bool((plan >= 0).all())
    assert float((plan.sum(dim=2) * plan.shape[1] - 1).abs().max()) < 1e-6
    assert float((plan.sum(dim=1) - 1 / 77).abs().sum()) < 1e-4


def test_few_iterations_reach_the_marginals() -> None:
    for kind in KINDS:
        plan = sinkhorn_plan(costs(kind), iterations=40, tolerance=1e-5)
        assert float((plan.sum(dim=1) - 1 / 77).abs().sum()) < 1e-4, kind


@pytest.mark.parametrize("kind", ["random", "smooth", "blocks"])
def test_equals_textbook_sinkhorn_at_convergence(kind: str) -> None:
    cost = costs(kind).double()
    expected = plain_sinkhorn(cost, 0.05, 2000)
    plan = sinkhorn_plan(cost, epsilon=0.05, tolerance=1e-12)
    assert float((plan - expected).abs().max() / expected.max()) < 1e-9
    single = sinkhorn_plan(cost.float(), epsilon=0.05)
    assert float((single - expected).abs().max() / expected.max()) < 2e-5


def test_small_epsilon_gives_the_exact_linear_programme() -> None:
    cost = torch.rand(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sums = np.zeros((10, 24))
    for row in range(6):
        sums[row, row * 4 : row * 4 + 4] = 1
    for column in range(4):
        sums[6 + column, column::4] = 1
    exact = linprog(cost.flatten().numpy(), A_eq=sums, b_eq=np.array([1 / 6] * 6 + [1 / 4] * 4)).x.reshape(6, 4)
    plan = sinkhorn_plan(cost[None], epsilon=5e-4, iterations=500, tolerance=1e-10)[0]
    assert float((plan - torch.from_numpy(exact)).abs().max()) < 1e-7
    assert (exact > 1e-9).sum() == 9 or (exact > 1e-9).sum() == 8  # a vertex, not a mixture


def test_agrees_with_the_potentials_of_geomloss() -> None:
    geomloss = pytest.importorskip("geomloss", reason="geomloss is not installed")
    image = torch.nn.functional.normalize(random_tokens(1, 60, 8, 0, torch.float64), dim=-1)
    text = torch.nn.functional.normalize(random_tokens(1, 20, 8, 1, torch.float64), dim=-1)
    solver = geomloss.SamplesLoss(
        "sinkhorn", p=2, blur=0.2**0.5, scaling=0.998, debias=False, potentials=True, backend="tensorized"
    )
    rows, columns = solver(
        torch.full((1, 60), 1 / 60, dtype=torch.float64), image, torch.full((1, 20), 1 / 20, dtype=torch.float64), text
    )
    cost = cosine_cost(image, text)
    theirs = ((rows.view(1, 60, 1) + columns.view(1, 1, 20) - cost) / 0.2).exp() / (60 * 20)
    ours = sinkhorn_plan(cost, epsilon=0.2, tolerance=1e-12)
    error = float((theirs.sum(dim=1) * 20 - 1).abs().max())
    assert error < 1e-3, "geomloss itself is not accurate here"
    assert float((ours / theirs - 1).abs().max()) < 5e-3


def test_rows_and_columns_may_be_permuted() -> None:
    cost = costs("random").double()
    generator = torch.Generator().manual_seed(0)
    pixels, words = torch.randperm(256, generator=generator), torch.randperm(77, generator=generator)
    plan = sinkhorn_plan(cost, tolerance=1e-12)
    permuted = sinkhorn_plan(cost[:, pixels][:, :, words], tolerance=1e-12)
    assert torch.allclose(permuted, plan[:, pixels][:, :, words], rtol=1e-8, atol=1e-14)


def test_images_of_a_batch_do_not_meet() -> None:
    batch = torch.cat([costs(kind) for kind in ("random", "smooth", "blocks")])
    together = sinkhorn_plan(batch)
    for number in range(3):
        alone = sinkhorn_plan(batch[number : number + 1])[0]
        assert float((together[number] - alone).abs().max() * 256) < 1e-3


def test_padded_tokens_get_no_mass_and_change_nothing() -> None:
    cost = costs("random").double().requires_grad_()
    mask = torch.zeros(1, 77, dtype=torch.bool)
    mask[:, 1:13] = True
    plan = sinkhorn_plan(cost, text_mask=mask, tolerance=1e-11)
    expected = sinkhorn_plan(cost[:, :, 1:13], tolerance=1e-11)
    assert not bool(plan[:, :, ~mask[0]].any())
    assert torch.allclose(plan[:, :, 1:13], expected, rtol=1e-8, atol=1e-14)
    weights = random_tokens(1, 256, 77, 3, torch.float64)
    (gradient,) = torch.autograd.grad((plan * weights).sum(), cost)
    (wanted,) = torch.autograd.grad((expected * weights[:, :, 1:13]).sum(), cost)
    assert float((gradient - wanted).abs().max() / wanted.abs().max()) < 1e-6


def test_gradcheck_in_double_precision() -> None:
    cost = cosine_cost(random_tokens(2, 7, 3, 0, torch.float64), random_tokens(2, 5, 3, 1, torch.float64))
    mask = torch.tensor([[True] * 5, [True, True, False, True, False]])
    assert torch.autograd.gradcheck(
        lambda values: sinkhorn_plan(values, epsilon=0.1, iterations=200, tolerance=1e-13, text_mask=mask),
        cost.requires_grad_(),
        atol=1e-6,
    )


def gradient_of(plan: Tensor, cost: Tensor) -> Tensor:
    """Derivative of a fixed random functional of the plan."""
    batch, pixels, words = plan.shape
    weights = random_tokens(batch, pixels, words, 7, torch.float64).to(plan.dtype)
    (gradient,) = torch.autograd.grad((plan * weights).sum(), cost)
    return gradient


@pytest.mark.parametrize("kind", ["random", "smooth"])
def test_implicit_gradient_is_the_unrolled_one(kind: str) -> None:
    cost = costs(kind)[:, :64, :20].double().requires_grad_()
    unrolled = gradient_of(plain_sinkhorn(cost, 0.02, 1500), cost)
    exact = gradient_of(sinkhorn_plan(cost, epsilon=0.02, tolerance=1e-12), cost)
    assert float((exact - unrolled).norm() / unrolled.norm()) < 1e-8
    single = cost.detach().float().requires_grad_()
    rounded = gradient_of(sinkhorn_plan(single, epsilon=0.02), single).double()
    assert float((rounded - unrolled).norm() / unrolled.norm()) < 2e-4


def test_one_plan_is_kept_for_the_backward_pass() -> None:
    kept: list[int] = []
    cost = costs("random").requires_grad_()

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        sinkhorn_plan(cost, iterations=60, tolerance=0)
    assert sum(kept) < 1.02 * 4 * cost.numel()


def test_the_tolerance_ends_the_iterations() -> None:
    cost = costs("random")
    assert torch.equal(sinkhorn_plan(cost, tolerance=10), torch.softmax(cost * -100, dim=-1) / 256)


def test_half_precision_and_autocast_are_computed_in_float32() -> None:
    cost = costs("random")
    expected = sinkhorn_plan(cost.bfloat16().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = cost.bfloat16().requires_grad_()
        plan = sinkhorn_plan(values)
        (gradient,) = torch.autograd.grad((plan * cost).sum(), values)
    assert plan.dtype == torch.float32
    assert torch.equal(plan, expected)
    assert bool(torch.isfinite(gradient).all())


def test_sentences() -> None:
    cost = costs("random")
    with pytest.raises(ValueError, match=r"the cost has shape \(256, 77\); give it as B x N x M"):
        sinkhorn_plan(cost[0])
    for epsilon, iterations, tolerance in ((0.0, 9, 0.1), (0.1, 0, 0.1), (0.1, 9, -1.0)):
        with pytest.raises(ValueError, match="out of range; choose a positive epsilon"):
            sinkhorn_plan(cost, epsilon, iterations, tolerance)
    with pytest.raises(ValueError, match="not finite; look for NaN"):
        sinkhorn_plan(cost * torch.nan)
    with pytest.raises(ValueError, match=r"give a boolean mask of shape \(1, 77\)"):
        sinkhorn_plan(cost, text_mask=torch.ones(1, 76, dtype=torch.bool))
    with pytest.raises(ValueError, match="boolean mask"):
        sinkhorn_plan(cost, text_mask=torch.ones(1, 77))
    with pytest.raises(ValueError, match="Caption 0 of the batch has no text token left"):
        sinkhorn_plan(cost, text_mask=torch.zeros(1, 77, dtype=torch.bool))


def test_a_plan_does_not_depend_on_its_batch_mates() -> None:
    easy, hard = costs("random").double()[:1], costs("far").double()[:1]
    for one, other in ((easy, hard), (hard, easy)):
        alone = sinkhorn_plan(one, tolerance=1e-3)
        beside = sinkhorn_plan(torch.cat([one, other]), tolerance=1e-3)[:1]
        assert float((alone - beside).abs().max()) < 1e-12


def plain_unbalanced(cost: Tensor, epsilon: float, relaxation: float, iterations: int) -> Tensor:
    """Scaling iterations of Chizat et al.: rows are met, columns have their price."""
    logits = -cost / epsilon
    columns = torch.zeros_like(cost[:, 0])
    for _ in range(iterations):
        rows = -np.log(cost.shape[1]) - torch.logsumexp(logits + columns[:, None], dim=2)
        sums = torch.logsumexp(logits + rows[:, :, None], dim=1)
        columns = (-np.log(cost.shape[2]) - sums) * relaxation / (relaxation + epsilon)
    rows = -np.log(cost.shape[1]) - torch.logsumexp(logits + columns[:, None], dim=2)
    plan: Tensor = (logits + rows[:, :, None] + columns[:, None]).exp()
    return plan


@pytest.mark.parametrize("relaxation", [0.01, 0.3])
def test_an_unbalanced_plan_equals_scaling_iterations_and_meets_its_rows(relaxation: float) -> None:
    cost = costs("random").double()
    expected = plain_unbalanced(cost, 0.05, relaxation, 3000)
    plan = sinkhorn_plan(cost, epsilon=0.05, tolerance=1e-12, relaxation=relaxation)
    assert float((plan - expected).abs().max() / expected.max()) < 1e-8
    assert float((plan.sum(dim=2) * plan.shape[1] - 1).abs().max()) < 1e-12
    balanced = sinkhorn_plan(cost, epsilon=0.05)
    assert float((cost * plan).sum()) < float((cost * balanced).sum())


def test_an_unbalanced_plan_gives_padding_nothing_and_words_like_no_pixel_little() -> None:
    cost = torch.rand(2, 50, 6, generator=torch.Generator().manual_seed(0))
    cost[:, :, 3] += 1
    mask = torch.tensor([True, True, True, True, False, False]).expand(2, -1)
    plan = sinkhorn_plan(cost, epsilon=0.05, relaxation=0.1, text_mask=mask)
    columns = plan.sum(dim=1)
    assert not bool(columns[:, 4:].any())
    assert bool((columns[:, 3] < 0.02).all())
    assert torch.allclose(sinkhorn_plan(cost, epsilon=0.05, text_mask=mask).sum(dim=1)[:, :4], torch.tensor(0.25))


def test_the_gradient_of_an_unbalanced_plan_is_that_of_differences() -> None:
    cost = torch.rand(1, 7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    mask = torch.tensor([[True, True, True, False]])
    assert torch.autograd.gradcheck(
        lambda values: sinkhorn_plan(values, 0.1, tolerance=1e-14, relaxation=0.2, text_mask=mask), cost
    )


def test_a_relaxation_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="relaxation 0 is out of range; choose a positive epsilon and relaxation"):
        sinkhorn_plan(torch.rand(1, 3, 2), relaxation=0)


@pytest.mark.parametrize("relaxation", [None, 2.0])
def test_where_looking_means_waiting_the_same_plan_comes_out(
    relaxation: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU is asked every fourth iteration alone; what an image does after it has stopped must change nothing."""
    cost = torch.cat([costs("random"), 5 * costs("random")])
    often = sinkhorn_plan(cost, epsilon=0.05, relaxation=relaxation)
    asked: list[torch.device] = []

    def waits(device: torch.device) -> bool:
        asked.append(device)
        return True

    monkeypatch.setattr(sinkhorn, "_waits", waits)
    assert torch.equal(sinkhorn_plan(cost, epsilon=0.05, relaxation=relaxation), often)
    assert asked
