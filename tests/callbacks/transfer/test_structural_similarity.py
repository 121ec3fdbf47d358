"""SSIM as a loss against its two-dimensional form (gradients: test_estimation)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from callbacks.transfer.structural_similarity import WINDOW, StructuralSimilarity, gaussian_window
from tests.callbacks.transfer.plain import ssim_loss
from tests.callbacks.transfer.samples import image_pair


def test_ssim_equals_the_two_dimensional_window_and_is_zero_for_equal_images(cube: Tensor) -> None:
    estimate, guide = image_pair(cube)
    term = StructuralSimilarity(guide)
    assert abs(float(term(estimate)[0]) - float(ssim_loss(estimate[:, 0], guide[:, 0]))) < 1e-12
    loss, gradient = term(guide)
    assert abs(float(loss)) < 1e-12
    assert gradient.abs().max() < 1e-9


def test_ssim_refuses_an_image_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match=r"at least 11 x 11 pixels, this guide has 10 x 40: use a larger crop"):
        StructuralSimilarity(torch.rand(3, 1, 10, 40))
    one = torch.rand(3, 1, 11, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    other = one.flip(2)
    assert float(StructuralSimilarity(one)(other)[0]) == pytest.approx(float(ssim_loss(other[:, 0], one[:, 0])))


def test_the_window_is_a_normalised_gaussian_of_eleven_taps() -> None:
    taps = gaussian_window(torch.float64, torch.device("cpu"))
    assert taps.shape == (WINDOW,)
    assert float(taps.sum()) == pytest.approx(1.0, abs=1e-14)
    assert float(taps[5] / taps[4]) == pytest.approx(math.exp(1 / (2 * 1.5**2)), rel=1e-12)
    assert torch.equal(taps, taps.flip(0))


def test_images_of_a_batch_do_not_meet_and_their_gradient_is_that_of_autograd(cube: Tensor) -> None:
    estimate, guide = (image[..., :13, :17] for image in image_pair(cube))
    loss, gradient = StructuralSimilarity(torch.cat((guide, estimate), 1))(torch.cat((estimate, estimate), 1))
    leaf = estimate[:, 0].clone().requires_grad_()
    value = ssim_loss(leaf, guide[:, 0])
    (expected,) = torch.autograd.grad(value, leaf)
    assert float(loss[0]) == pytest.approx(float(value.detach()), abs=1e-12)
    torch.testing.assert_close(gradient[:, 0], expected, rtol=1e-9, atol=1e-12)
    assert float(loss[1]) == pytest.approx(0.0, abs=1e-12)
