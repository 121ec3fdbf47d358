"""Weights of the bands from pixels of both sensors, not negative or smooth, with an offset."""

import pytest
import torch

from datamodules.pairs.response_estimate import estimate_response


def test_weights_and_offsets_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(8, 200, generator=generator, dtype=torch.float64)
    true = torch.rand(3, 8, generator=generator, dtype=torch.float64) * (torch.arange(8) % 3 > 0)
    offset = torch.tensor([0.1, -0.2, 0.0], dtype=torch.float64)
    seen = true @ pixels + offset[:, None]
    for smoothness in (None, 0.0):
        response, found = estimate_response(pixels, seen, smoothness)
        assert float((response - true).abs().max()) < 1e-9
        assert float((found - offset).abs().max()) < 1e-9


def test_bands_that_are_alike_share_the_weight_of_a_smooth_response() -> None:
    pixels = torch.rand(1, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64).expand(4, -1)
    response, _ = estimate_response(pixels, pixels[:1], smoothness=1e-3)
    assert float((response - 0.25).abs().max()) < 1e-9
    negative, _ = estimate_response(pixels[:1], -pixels[:1])
    assert float(negative.abs().max()) == 0


def test_pixels_of_different_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="the same pixels of both sensors but there are 9 and 16"):
        estimate_response(torch.rand(3, 9), torch.rand(2, 16))
