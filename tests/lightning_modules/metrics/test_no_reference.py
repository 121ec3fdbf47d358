"""Scores without truth: best for the truth, worse for what is blurred or of wrong colours."""

import math

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import universal_image_quality_index

from lightning_modules.metrics.no_reference import SIGMA, WINDOW, _quality, no_reference
from lightning_modules.solvers.resampling import block_phase, enlarge
from lightning_modules.solvers.spatial_response import SpatialResponse
from tests.pairs import smooth


def pair() -> tuple[Tensor, Tensor, Tensor]:
    """A cube of four materials, and what both sensors see of it."""
    generator = torch.Generator().manual_seed(0)
    places = smooth((1, 4, 64, 64), 3)[0].double() ** 3
    places = places + 0.3 * torch.rand(places.shape, generator=generator, dtype=torch.float64)
    cube = torch.einsum("bk,khw->bhw", torch.rand(6, 4, generator=generator, dtype=torch.float64), places)
    response = torch.rand(4, 6, generator=generator, dtype=torch.float64)
    return cube, SpatialResponse.toolbox(4).reduce(cube), torch.einsum("cb,bhw->chw", response, cube)


def test_the_truth_scores_best() -> None:
    cube, low, high = pair()
    truth = no_reference(cube, low, high)
    assert truth.d_lambda < 1e-9
    assert truth.d_s < 1e-3
    blurred = no_reference(enlarge(low, 4, block_phase(4)), low, high)
    assert blurred.d_s > 0.1
    assert blurred.d_lambda > 1e-4
    wrong = no_reference(cube.flip(0), low, high)
    assert wrong.d_lambda > 0.1
    assert max(blurred.qnr, wrong.qnr) < 0.9 < truth.qnr
    for scores in (truth, blurred, wrong):
        assert scores.qnr == pytest.approx((1 - scores.d_lambda) * (1 - scores.d_s), abs=1e-12)


@pytest.mark.parametrize(("told", "first"), [([0.25, 0.5, 0.25], 1), ([0.1, 0.2, 0.4, 0.2, 0.1], 0)])
def test_the_blur_and_its_place_are_those_that_are_told(told: list[float], first: int) -> None:
    cube, _, high = pair()
    low = SpatialResponse.separable(told, first, 4).reduce(cube)
    assert no_reference(cube, low, high, phase=2.0, blur=torch.tensor(told)).d_lambda < 1e-9
    assert no_reference(cube, low, high).d_lambda > 1e-3


@pytest.mark.parametrize(("size", "window"), [((24, 30), WINDOW), ((30, 8), 7), ((5, 40), 5)])
def test_the_window_is_odd_and_fits(size: tuple[int, int], window: int) -> None:
    generator = torch.Generator().manual_seed(3)
    one, other = (torch.rand(size, generator=generator, dtype=torch.float64) for _ in range(2))
    assert (WINDOW, SIGMA) == (11, 1.5)
    expected = universal_image_quality_index(
        one[None, None], other[None, None], kernel_size=(window, window), sigma=(SIGMA, SIGMA)
    )
    assert torch.equal(_quality(one, other), expected)


def test_images_of_one_grid_have_the_ratio_one() -> None:
    cube, _, high = pair()
    seen = SpatialResponse.toolbox(1).reduce(cube)
    assert no_reference(cube, seen, high).d_lambda < 1e-9


def test_the_ratio_is_told_by_the_columns_of_images_that_are_not_square() -> None:
    cube, low, high = pair()
    part = no_reference(cube[..., :48], low[..., :12], high[..., :48])
    assert part.d_lambda < 1e-5
    turned = no_reference(cube[:, :48], low[:, :12], high[:, :48])
    assert turned.d_lambda < 1e-5


def test_what_is_missing_is_not_looked_at() -> None:
    """A border without data, filled with one value in the observations and with nonsense in the product."""
    cube, low, high = pair()
    whole = no_reference(cube, low, high)
    missing = torch.zeros(64, 64, dtype=torch.bool)
    missing[:, :16] = True
    product, filled, sharp = cube.clone(), low.clone(), high.clone()
    product[:, :, :16], filled[:, :, :4], sharp[:, :, :16] = 5.0, low.median(), high.median()
    counted, left_out = (no_reference(product, filled, sharp, missing=one) for one in (None, missing))
    assert counted.d_lambda > 0.1
    assert left_out.d_lambda < 1e-9
    assert left_out.d_s < 1e-3
    assert no_reference(cube, low, high, missing=torch.zeros_like(missing)) == whole
    assert math.isnan(no_reference(cube, low, high, missing=torch.ones_like(missing)).d_lambda)
