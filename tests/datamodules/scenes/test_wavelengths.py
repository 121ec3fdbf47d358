"""Bands are chosen by wavelength."""

import pytest
import torch

from datamodules.scenes import rgb_bands, to_rgb

CAVE_BANDS = tuple(range(400, 701, 10))


def test_nearest_bands() -> None:
    assert rgb_bands(CAVE_BANDS) == (26, 15, 7)
    assert rgb_bands(tuple(range(420, 721, 10))) == (24, 13, 5)


def test_order_of_the_bands_does_not_matter() -> None:
    assert rgb_bands(CAVE_BANDS[::-1]) == (4, 15, 23)


@pytest.mark.parametrize(
    ("wavelengths", "colour"), [((400.0, 550.0, 660.0), 470), ((470.0, 600.0, 660.0), 550), ((470.0, 550.0), 660)]
)
def test_a_colour_that_is_not_covered_is_named(wavelengths: tuple[float, ...], colour: int) -> None:
    with pytest.raises(ValueError, match=f"do not cover {colour} nm"):
        rgb_bands(wavelengths)


def test_tolerance_is_inclusive() -> None:
    assert rgb_bands((470.0, 550.0, 685.0)) == (2, 1, 0)
    with pytest.raises(ValueError, match=r"the nearest is 25\.5 nm away, 25 allowed"):
        rgb_bands((470.0, 550.0, 685.5))


def test_nan_and_empty_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="list of wavelengths is empty"):
        rgb_bands(())
    with pytest.raises(ValueError, match="do not cover"):
        rgb_bands((float("nan"),))


def test_rgb_takes_the_three_planes_of_any_batch() -> None:
    cube = torch.arange(31.0)[:, None, None].expand(2, 4, 31, 3, 5)
    rgb = to_rgb(cube, CAVE_BANDS)
    assert rgb.shape == (2, 4, 3, 3, 5)
    assert rgb[1, 3, :, 2, 4].tolist() == [26.0, 15.0, 7.0]


def test_rgb_of_a_cube_with_other_bands_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(30, 2, 2\) but 31 wavelengths"):
        to_rgb(torch.zeros(30, 2, 2), CAVE_BANDS)
