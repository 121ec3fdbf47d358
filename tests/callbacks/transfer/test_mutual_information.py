"""Mutual information against a dense histogram, its limits and its gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from callbacks.transfer.mutual_information import MutualInformation, cubic_spline
from tests.callbacks.transfer.plain import mutual_information_loss
from tests.callbacks.transfer.samples import image_pair


def test_spline_weights_are_nonnegative_and_sum_to_one() -> None:
    weights = torch.stack(cubic_spline(torch.linspace(0, 0.999, 50, dtype=torch.float64)))
    assert weights.min() > -1e-15
    assert torch.allclose(weights.sum(0), torch.ones(50, dtype=torch.float64), atol=1e-15)
    assert torch.allclose(weights[:, 0], torch.tensor([1 / 6, 2 / 3, 1 / 6, 0], dtype=torch.float64))


def test_mutual_information_equals_the_dense_histogram(cube: Tensor) -> None:
    estimate, guide = image_pair(cube)
    loss, _ = MutualInformation(guide)(estimate)
    assert abs(float(loss) - float(mutual_information_loss(estimate[:, 0], guide[:, 0]))) < 1e-9


def test_mutual_information_prefers_the_guide_itself_whatever_its_brightness(cube: Tensor) -> None:
    _, guide = image_pair(cube)
    term = MutualInformation(guide)
    shuffled = guide.flatten(2)[..., torch.randperm(40 * 44, generator=torch.Generator().manual_seed(0))]
    same, darker, unrelated = (float(term(image)[0]) for image in (guide, 0.7 * guide, shuffled.view(guide.shape)))
    assert same < 0.5
    assert darker < 0.6
    assert unrelated > 0.75


def test_mutual_information_of_a_constant_guide_is_no_information() -> None:
    loss, gradient = MutualInformation(torch.full((3, 1, 12, 12), 0.5))(torch.rand(3, 1, 12, 12))
    assert float(loss) == 0
    assert gradient.abs().max() == 0


def test_mutual_information_survives_values_at_the_ends() -> None:
    ends = torch.tensor([0.0, 1.0]).repeat(72).view(1, 1, 12, 12).repeat(3, 1, 1, 1)
    loss, gradient = MutualInformation(ends)(ends)
    assert float(loss) == pytest.approx(float(mutual_information_loss(ends[:, 0], ends[:, 0])), abs=1e-5)
    assert torch.isfinite(gradient).all()
    assert torch.equal(MutualInformation(ends)(1.5 * ends - 0.25)[0], loss), "beyond the ends is at the ends"


def test_images_of_a_batch_do_not_meet_and_their_gradient_is_that_of_autograd(cube: Tensor) -> None:
    estimate, guide = image_pair(cube)
    both = torch.cat((estimate, guide.flip(2)), 1), torch.cat((guide, estimate), 1)
    loss, gradient = MutualInformation(both[1])(both[0])
    for index in range(2):
        alone, slope = MutualInformation(both[1][:, index : index + 1])(both[0][:, index : index + 1])
        assert torch.equal(loss[index], alone[0])
        assert torch.equal(gradient[:, index], slope[:, 0])
    leaf = estimate[:, 0].clone().requires_grad_()
    (expected,) = torch.autograd.grad(mutual_information_loss(leaf, guide[:, 0]), leaf)
    assert float((gradient[:, 0] - expected).norm() / expected.norm()) < 1e-6
