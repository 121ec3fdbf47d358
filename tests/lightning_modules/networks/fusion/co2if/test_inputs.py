"""One sentence each for inputs that do not belong together, and silence for those that do."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.fusion.co2if.inputs import (
    check_multispectral,
    check_observation,
    check_sizes,
    check_text,
)

CUBE = torch.zeros(2, 5, 2, 3)


def test_sizes_name_the_first_that_is_not_positive() -> None:
    check_sizes(dim=1, ratio=8)
    with pytest.raises(ValueError, match="CO2IF: ratio 0 is below 1; give a positive whole number"):
        check_sizes(dim=1, ratio=0, heads=-1)


@pytest.mark.parametrize("shape", [(2, 6, 2, 3), (5, 2, 3)])
def test_a_cube_of_other_bands_or_axes_is_refused(shape: tuple[int, ...]) -> None:
    check_observation(CUBE, 5)
    with pytest.raises(ValueError, match=re.escape(f"the low-resolution cube has shape {shape} but the network has 5")):
        check_observation(torch.zeros(shape), 5)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (None, "the multispectral image is missing; give one, or build with use_msi=False"),
        (torch.zeros(2, 4, 16, 24), "the network has 3 channels; give B x channels x H x W"),
        (torch.zeros(3, 16, 24), "the network has 3 channels"),
        (torch.zeros(2, 3, 16, 16), "a cube of 2 x 3 pixels at ratio 8 needs (2, 3, 16, 24); crop both"),
        (torch.zeros(1, 3, 16, 24), "has shape (1, 3, 16, 24) where a cube"),
    ],
)
def test_an_image_of_other_ground_is_refused(image: Tensor | None, sentence: str) -> None:
    fitting = torch.zeros(2, 3, 16, 24)
    assert check_multispectral(fitting, CUBE, 3, 8) is fitting
    with pytest.raises(ValueError, match=re.escape(sentence)):
        check_multispectral(image, CUBE, 3, 8)


@pytest.mark.parametrize(
    ("tokens", "mask", "sentence"),
    [
        (None, None, "the text tokens are missing; give captions, or build with use_text=False"),
        (torch.zeros(2, 9, 13), None, "the text tokens have shape (2, 9, 13); give 2 x tokens x 12"),
        (torch.zeros(3, 9, 12), None, "the text tokens have shape (3, 9, 12); give 2 x tokens x 12"),
        (torch.zeros(9, 12), None, "the text tokens have shape (9, 12)"),
        (torch.zeros(2, 9, 12), torch.ones(2, 8, dtype=torch.bool), "The text mask is torch.bool of shape"),
        (torch.zeros(2, 9, 12), torch.zeros(2, 9, dtype=torch.bool), "Caption 0 of the batch has no text token left"),
    ],
)
def test_captions_that_do_not_fit_are_refused(tokens: Tensor | None, mask: Tensor | None, sentence: str) -> None:
    fitting = torch.zeros(2, 9, 12)
    assert check_text(fitting, torch.ones(2, 9, dtype=torch.bool), 2, 12) is fitting
    with pytest.raises(ValueError, match=re.escape(sentence)):
        check_text(tokens, mask, 2, 12)
