"""Single terms of Eq. 20: known values and limits (gradients: test_estimation)."""

import dataclasses

import pytest
import torch
from torch import Tensor

from callbacks.transfer.losses import ImageObjective, LossWeights, total_variation
from callbacks.transfer.mutual_information import MutualInformation, cubic_spline
from callbacks.transfer.structural_similarity import StructuralSimilarity
from tests.callbacks.transfer.plain import mutual_information_loss, patch_loss, ssim_loss

NONE = LossWeights(0, 0, 0, 0, 0, 0, 0)


def pair(cube: Tensor) -> tuple[Tensor, Tensor]:
    return cube[:3, None].double(), cube[3:6, None].double()


def test_spline_weights_are_nonnegative_and_sum_to_one() -> None:
    weights = torch.stack(cubic_spline(torch.linspace(0, 0.999, 50, dtype=torch.float64)))
    assert weights.min() > -1e-15
    assert torch.allclose(weights.sum(0), torch.ones(50, dtype=torch.float64), atol=1e-15)
    assert torch.allclose(weights[:, 0], torch.tensor([1 / 6, 2 / 3, 1 / 6, 0], dtype=torch.float64))


def test_mutual_information_equals_the_dense_histogram(cube: Tensor) -> None:
    estimate, guide = pair(cube)
    loss, _ = MutualInformation(guide)(estimate)
    assert abs(float(loss) - float(mutual_information_loss(estimate[:, 0], guide[:, 0]))) < 1e-9


def test_mutual_information_prefers_the_guide_itself_whatever_its_brightness(cube: Tensor) -> None:
    _, guide = pair(cube)
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
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient).all()


def test_ssim_equals_the_two_dimensional_window_and_is_zero_for_equal_images(cube: Tensor) -> None:
    estimate, guide = pair(cube)
    term = StructuralSimilarity(guide)
    assert abs(float(term(estimate)[0]) - float(ssim_loss(estimate[:, 0], guide[:, 0]))) < 1e-12
    loss, gradient = term(guide)
    assert abs(float(loss)) < 1e-12
    assert gradient.abs().max() < 1e-9


def test_ssim_refuses_an_image_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match=r"at least 11 x 11 pixels, this guide has 10 x 40: use a larger crop"):
        StructuralSimilarity(torch.rand(3, 1, 10, 40))


def test_patch_term_is_the_l1_of_unfolded_patches(cube: Tensor) -> None:
    estimate, guide = pair(cube)
    value, _ = ImageObjective(guide, dataclasses.replace(NONE, patch=1.0), 5)(estimate)
    assert abs(float(value) - float(patch_loss(estimate[:, 0], guide[:, 0], 5))) < 1e-14


def test_total_variation_of_a_ramp_is_its_slope() -> None:
    ramp = (torch.arange(8, dtype=torch.float64) / 8).view(1, 1, 8, 1).expand(1, 1, 8, 5)
    value, gradient = total_variation(ramp)
    assert abs(float(value) - 1 / 8) < 1e-15
    assert torch.allclose(gradient[0, 0, 1:-1], torch.zeros(6, 5, dtype=torch.float64))
    assert torch.allclose(gradient[0, 0, -1], torch.full((5,), 1 / 35, dtype=torch.float64))


def test_terms_of_weight_zero_are_silent(cube: Tensor) -> None:
    estimate, guide = pair(cube)
    value, gradient = ImageObjective(guide, NONE, 5)(estimate)
    assert float(value) == 0
    assert gradient.abs().max() == 0
