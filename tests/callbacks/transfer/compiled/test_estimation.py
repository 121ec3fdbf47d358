"""The compiled estimation against the torch form in float64, whatever the size, the settings and the threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from callbacks.transfer.compiled.estimation import CompiledEstimation
from callbacks.transfer.estimation import EstimationSettings, TransportEstimation
from callbacks.transfer.losses import LossWeights
from hyperalign.compilation import compiler
from tests.callbacks.transfer.samples import smooth_cube

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")
TERMS = [field.name for field in dataclasses.fields(LossWeights)]
NONE = LossWeights(0, 0, 0, 0, 0, 0, 0)
SETTINGS = EstimationSettings(kernel_size=5, temperature=0.7)
Problem = tuple[Tensor, Tensor, Tensor, Tensor]


def drawn(height: int, width: int, choices: int = 6, images: int = 1) -> Problem:
    """Proxy and guides, 3 x N x H x W, candidates and distances, K x N x H x W: in float32."""
    generator = torch.Generator().manual_seed(height * width)
    proxies = smooth_cube(3 * images, height, width, seed=1).view(3, images, height, width)
    guides = (proxies.flip(2) + 0.1 * torch.rand(proxies.shape, generator=generator)).clamp(0, 1)
    shape = (choices, images, height, width)
    candidates = torch.randint(0, height * width, shape, generator=generator)
    return proxies, guides, candidates, torch.rand(shape, generator=generator)


def oracle(problem: Problem, weights: LossWeights, settings: EstimationSettings) -> TransportEstimation:
    """The torch form in float64."""
    proxies, guides, candidates, distances = problem
    return TransportEstimation(proxies.double(), guides.double(), candidates, distances.double(), weights, settings)


def moments(estimation: CompiledEstimation, name: str) -> Tensor:
    """First moments of Adam, like the logits: after one step a tenth of the gradient times H * W."""
    (guide,) = estimation._guides
    return guide._untiled(guide._held[f"{name}_first"])


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp_min(1e-12))


# Two bands, the second shorter; three bands of two tiles; one window.
@pytest.mark.parametrize(("height", "width"), [(21, 26), (37, 150), (11, 11)])
@pytest.mark.parametrize("term", [*TERMS, "all"])
def test_objective_and_gradients_equal_those_of_torch(height: int, width: int, term: str) -> None:
    weights = LossWeights() if term == "all" else dataclasses.replace(NONE, **{term: 1.0})
    problem = drawn(height, width)
    found, expected = CompiledEstimation(*problem, weights, SETTINGS), oracle(problem, weights, SETTINGS)
    found.step()
    torch.testing.assert_close(found.history[0].double(), expected.objective(), rtol=1e-5, atol=1e-7)
    for name, gradient in zip(("logits", "kernels"), expected.gradients(), strict=True):
        assert relative(10 * moments(found, name), gradient[:, 0] * height * width) < 1e-4, name


@pytest.mark.parametrize(
    ("height", "width", "kernel"),
    [(21, 26, 5), (37, 150, 7), (16, 128, 3), (1, 9, 3), (9, 1, 3), (5, 300, 1), (3, 2, 9)],
)
def test_steps_are_those_of_torch(height: int, width: int, kernel: int) -> None:
    settings = EstimationSettings(kernel_size=kernel)
    weights = LossWeights() if min(height, width) >= 11 else LossWeights(ssim=0, patch=0.5)
    problem = drawn(height, width)
    found, expected = CompiledEstimation(*problem, weights, settings), oracle(problem, weights, settings)
    for _ in range(10):
        found.step()
        expected.step()
        torch.testing.assert_close(found.history[-1].double(), expected.history[-1], rtol=2e-5, atol=1e-6)
    torch.testing.assert_close(found.objective().double(), expected.objective(), rtol=2e-5, atol=1e-6)
    ours, theirs = found.operators()[0], expected.operators()[0]
    assert torch.equal(ours.candidates, theirs.candidates)
    torch.testing.assert_close(ours.aggregation.double(), theirs.aggregation, rtol=0, atol=2e-3)
    torch.testing.assert_close(ours.interpolation.double(), theirs.interpolation, rtol=0, atol=2e-3)
    assert (ours.row_sums() - 1).abs().max() < 1e-5


def test_a_constant_guide_and_identical_images_are_finite() -> None:
    proxies, guides, candidates, distances = drawn(20, 24)
    for guide, far in ((torch.full_like(guides, 0.5), distances), (proxies, torch.zeros_like(distances))):
        found = CompiledEstimation(proxies, guide, candidates, far, LossWeights(), SETTINGS)
        expected = oracle((proxies, guide, candidates, far), LossWeights(), SETTINGS)
        for estimation in (found, expected):
            estimation.step()
        torch.testing.assert_close(found.objective().double(), expected.objective(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_guides_in_a_batch_come_out_to_the_bit_as_alone(shared: bool) -> None:
    proxies, guides, candidates, distances = drawn(23, 140, images=3)
    given = proxies[:, 0] if shared else proxies
    batch = CompiledEstimation(given, guides, candidates, distances, LossWeights(), SETTINGS)
    for _ in range(5):
        batch.step()
    assert batch.history[0].shape == (3,)
    for n, operator in enumerate(batch.operators()):
        proxy = proxies[:, 0 if shared else n]
        guide, near, far = (one[:, n : n + 1] for one in (guides, candidates, distances))
        alone = CompiledEstimation(proxy, guide, near, far, LossWeights(), SETTINGS)
        for _ in range(5):
            alone.step()
        expected = alone.operators()[0]
        assert torch.equal(operator.aggregation, expected.aggregation)
        assert torch.equal(operator.interpolation, expected.interpolation)
        assert float(alone.history[-1]) == float(batch.history[-1][n])


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_any_number_of_threads_gives_the_same_bits(threads: None) -> None:
    problem, found = drawn(70, 90), []
    for number in (1, 1, 3):
        torch.set_num_threads(number)
        estimation = CompiledEstimation(*problem, LossWeights(), SETTINGS)
        for _ in range(5):
            estimation.step()
        held = estimation._guides[0]._held
        found.append((held["logits"], held["kernels"], torch.stack(estimation.history)))
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_an_image_smaller_than_the_window_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="SSIM needs an image of at least 11 x 11 pixels, this guide has 10 x 12"):
        CompiledEstimation(*drawn(10, 12), LossWeights(), SETTINGS)
