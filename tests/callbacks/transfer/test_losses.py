"""Single terms of Eq. 20: known values and limits (gradients: test_estimation)."""

import dataclasses

import torch
from torch import Tensor

from callbacks.transfer.losses import ImageObjective, LossWeights, total_variation
from tests.callbacks.transfer.plain import patch_loss
from tests.callbacks.transfer.samples import image_pair

NONE = LossWeights(0, 0, 0, 0, 0, 0, 0)


def test_patch_term_is_the_l1_of_unfolded_patches(cube: Tensor) -> None:
    estimate, guide = image_pair(cube)
    value, _ = ImageObjective(guide, dataclasses.replace(NONE, patch=1.0), 5)(estimate)
    assert abs(float(value) - float(patch_loss(estimate[:, 0], guide[:, 0], 5))) < 1e-14


def test_total_variation_of_a_ramp_is_its_slope() -> None:
    ramp = (torch.arange(8, dtype=torch.float64) / 8).view(1, 1, 8, 1).expand(1, 1, 8, 5)
    value, gradient = total_variation(ramp)
    assert abs(float(value) - 1 / 8) < 1e-15
    assert torch.allclose(gradient[0, 0, 1:-1], torch.zeros(6, 5, dtype=torch.float64))
    assert torch.allclose(gradient[0, 0, -1], torch.full((5,), 1 / 35, dtype=torch.float64))


def test_terms_of_weight_zero_are_silent(cube: Tensor) -> None:
    estimate, guide = image_pair(cube)
    value, gradient = ImageObjective(guide, NONE, 5)(estimate)
    assert float(value) == 0
    assert gradient.abs().max() == 0
