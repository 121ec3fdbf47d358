"""Gaussian blur against a padded two-dimensional convolution."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from datamodules.degradations import GaussianBlurring
from datamodules.degradations.operators import BOUNDARIES

PADDING: dict[str, Any] = {
    "zero": "constant",
    "replicate": "edge",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "circular": "wrap",
}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("size", [(13, 16), (20, 9), (4, 5)])
def test_equals_padded_convolution(boundary: str, size: tuple[int, int]) -> None:
    cube = torch.rand(3, *size, dtype=torch.float64, generator=seeded(0))
    samples = [math.exp(-(k**2) / (2 * 2.6**2)) for k in range(-7, 8)]
    line = torch.tensor(samples, dtype=torch.float64) / sum(samples)
    padded = torch.from_numpy(np.pad(cube.numpy(), ((0, 0), (7, 7), (7, 7)), mode=PADDING[boundary]))
    expected = conv2d(padded[:, None], (line[:, None] * line[None])[None, None])[:, 0]
    observation = GaussianBlurring(boundary=boundary)(cube, seeded(0))
    torch.testing.assert_close(observation, expected, rtol=1e-12, atol=1e-14)


def test_default_sigma_follows_the_kernel_size() -> None:
    assert [GaussianBlurring(k).sigma for k in (9, 15, 21)] == pytest.approx([1.7, 2.6, 3.5], abs=1e-9)
    assert GaussianBlurring(15).settings()["sigma"] == 2.6
    assert GaussianBlurring(15, 1.5).sigma == 1.5


def test_one_tap_is_the_identity() -> None:
    cube = torch.rand(2, 5, 6, generator=seeded(0))
    assert torch.equal(GaussianBlurring(1)(cube, seeded(0)), cube)


def test_constants_are_kept_except_at_a_zero_boundary() -> None:
    cube = torch.full((2, 32, 32), 0.5)
    for boundary in BOUNDARIES:
        observation = GaussianBlurring(boundary=boundary)(cube, seeded(0))
        torch.testing.assert_close(observation[:, 7:-7, 7:-7], cube[:, 7:-7, 7:-7], rtol=1e-6, atol=0)
        corner = observation[0, 0, 0].item()
        assert corner < 0.2 if boundary == "zero" else corner == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kernel_size": 14}, "kernel_size is 14 but a centred blur needs an odd number of at least 1"),
        ({"kernel_size": -1}, "kernel_size is -1 but a centred blur needs an odd number"),
        ({"sigma": -2.6}, "sigma of the Gaussian blur is -2.6 but must be a positive number of pixels"),
        ({"sigma": 0.0}, "sigma of the Gaussian blur is 0.0 but must be a positive number of pixels"),
        ({"sigma": float("nan")}, "sigma of the Gaussian blur is nan but must be a positive"),
        ({"boundary": "mirror"}, "boundary of the Gaussian blur is 'mirror' but must be one of zero, replicate"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GaussianBlurring(**arguments)
