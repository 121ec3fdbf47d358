"""The hand-written estimation against plain autograd (tests/callbacks/transfer/plain.py)."""

import dataclasses

import pytest
import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.estimation import EstimationSettings, TransportEstimation
from callbacks.transfer.losses import LossWeights
from callbacks.transfer.refinement import refine
from callbacks.transfer.retrieval import Retrieval
from tests.callbacks.transfer.plain import PlainEstimation
from tests.callbacks.transfer.samples import smooth_cube

Problem = tuple[Tensor, Tensor, Tensor, Tensor]
TERMS = [field.name for field in dataclasses.fields(LossWeights)]
SETTINGS = EstimationSettings(kernel_size=5, temperature=0.7)


def relative(found: Tensor, expected: Tensor | None) -> float:
    if expected is None or not expected.any():
        return float(found.abs().max())
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("term", [*TERMS, "all"])
def test_gradients_equal_autograd(problem: Problem, term: str) -> None:
    proxy, guide, candidates, distances = problem
    none = LossWeights(0, 0, 0, 0, 0, 0, 0)
    weights = LossWeights() if term == "all" else dataclasses.replace(none, **{term: 1.0})
    plain = PlainEstimation(proxy, guide, candidates, distances, weights, SETTINGS)
    value = plain.objective()
    expected = torch.autograd.grad(value, (plain.logits, plain.kernels), allow_unused=True)
    # 4 rows a block: the last of six blocks is shorter than the others.
    fast = TransportEstimation(
        proxy, guide[:, None], candidates[:, None], distances[:, None], weights, SETTINGS, block_pixels=4 * 26
    )
    assert relative(fast.objective()[0], value.detach()) < 1e-9
    for found, wanted in zip(fast.gradients(), expected, strict=True):
        assert relative(found[:, 0], wanted) < 1e-5


def test_settings_are_those_that_were_chosen() -> None:
    assert dataclasses.astuple(EstimationSettings()) == (7, 0.05, 1.0, 5, 4.0, 5.0, 1e-3)
    assert dataclasses.astuple(LossWeights()) == (1.0, 1.0, 0.1, 0.5, 1.0, 1.0, 0.1)


@pytest.mark.parametrize(("pixels", "rows"), [(4 * 26 + 25, [4] * 5 + [1]), (25, [1] * 21), (10**6, [21])])
def test_blocks_hold_whole_rows_of_so_many_pixels(problem: Problem, pixels: int, rows: list[int]) -> None:
    proxy, guide, candidates, distances = problem
    estimation = TransportEstimation(
        proxy, guide[:, None], candidates[:, None], distances[:, None], LossWeights(), SETTINGS, pixels
    )
    assert [block.rows for block in estimation._blocks] == rows


def test_steps_follow_torch_adam_on_autograd_gradients(problem: Problem) -> None:
    proxy, guide, candidates, distances = problem
    plain = PlainEstimation(proxy, guide, candidates, distances, LossWeights(), SETTINGS)
    fast = TransportEstimation(
        proxy, guide[:, None], candidates[:, None], distances[:, None], LossWeights(), SETTINGS, block_pixels=4 * 26
    )
    for _ in range(10):
        value = plain.step()
        fast.step()
        assert relative(fast.history[-1][0], value) < 1e-6
    assert (fast.operators()[0].apply(proxy) - plain.synthesise(proxy)).abs().max() < 1e-6


@pytest.mark.parametrize("shared", [True, False])
def test_guides_in_a_batch_give_the_same_result_whatever_their_proxies(problem: Problem, shared: bool) -> None:
    """Odd size, several blocks: equal up to float64 rounding."""
    proxy, guide, candidates, distances = problem
    guides = torch.stack((guide, guide.flip(1), guide.roll(5, 2)), 1)
    proxies = torch.stack([proxy] * 3 if shared else [proxy, proxy.flip(1), proxy.flip(0) ** 2], 1)
    both = (
        torch.stack((candidates, candidates.flip(0), candidates.flip(1)), 1),
        torch.stack((distances, distances.flip(2), 3 * distances), 1),
    )
    batch = TransportEstimation(
        proxy if shared else proxies, guides, *both, LossWeights(), SETTINGS, block_pixels=6 * 26
    )
    alone = [
        TransportEstimation(
            proxies[:, n], guides[:, n : n + 1], both[0][:, n : n + 1], both[1][:, n : n + 1], LossWeights(), SETTINGS
        )
        for n in range(3)
    ]
    for _ in range(5):
        for estimation in (batch, *alone):
            estimation.step()
    for n, operator in enumerate(batch.operators()):
        difference = operator.apply(proxy) - alone[n].operators()[0].apply(proxy)
        assert difference.abs().max() < 1e-9


def test_estimation_repeats_itself_exactly(problem: Problem) -> None:
    proxy, guide, candidates, distances = (part.float() if part.is_floating_point() else part for part in problem)
    results = []
    for _ in range(2):
        fast = TransportEstimation(
            proxy, guide[:, None], candidates[:, None], distances[:, None], LossWeights(), SETTINGS
        )
        for _ in range(5):
            fast.step()
        results.append(fast.operators()[0].apply(proxy))
    assert torch.equal(*results)


def test_float32_at_128_agrees_with_the_plain_form() -> None:
    cube = smooth_cube(6, 128, 128, seed=5)
    guide = torch.roll(cube[:3], (2, 3), (1, 2))
    proxy, near = PatchDescriptors(cube[:3].contiguous()), PatchDescriptors(guide)
    seeds = Retrieval(engine="inverted").index(proxy).search(near, 16)
    candidates, distances = (part.view(16, 128, 128) for part in refine(near, proxy, seeds, 1, 16))
    settings = EstimationSettings()
    plain = PlainEstimation(cube[:3], guide, candidates, distances, LossWeights(), settings)
    fast = TransportEstimation(
        cube[:3], guide[:, None], candidates[:, None], distances[:, None], LossWeights(), settings
    )
    for _ in range(3):
        plain.step()
        fast.step()
    assert relative(fast.objective()[0], plain.objective().detach()) < 5e-3
    error = (fast.operators()[0].apply(cube) - plain.synthesise(cube)).square().mean()
    assert -10 * torch.log10(error) > 40
