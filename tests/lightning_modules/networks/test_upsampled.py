"""Bicubic upsampling against MATLAB-compatible values, and the wrapper for super-resolution."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from lightning_modules.networks import SERT, UpsampledInput
from lightning_modules.networks.upsampled import upsample_bicubic


def test_upsampling_equals_imresize(shared: Path, golden: ModuleType) -> None:
    _, outputs = golden.load_case(shared / "golden" / "superresolution", "bicubic_x4")
    upsampled = upsample_bicubic(outputs["output"], 4)[:, ::4]
    assert golden.relative_error(upsampled, outputs["upsampled"]) < 1e-6


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_upsampling_keeps_constants_and_straight_lines(scale: int) -> None:
    ramp = torch.arange(12, dtype=torch.float64).expand(1, 2, 9, 12)
    up = upsample_bicubic(ramp, scale)
    assert up.shape == (1, 2, 9 * scale, 12 * scale)
    centres = (torch.arange(12 * scale, dtype=torch.float64) + 0.5) / scale - 0.5
    inside = slice(2 * scale, -2 * scale)
    assert torch.allclose(up[0, 0, 4, inside], centres[inside], atol=1e-12)
    assert torch.allclose(upsample_bicubic(torch.full((1, 1, 3, 2), 0.7), scale), torch.tensor(0.7), atol=1e-6)


def test_scale_one_and_single_pixels() -> None:
    image = torch.rand(1, 3, 5, 1)
    assert torch.allclose(upsample_bicubic(image, 1), image, atol=1e-7)
    assert upsample_bicubic(image, 4).shape == (1, 3, 20, 4)


def test_wrapper_upsamples_then_applies_the_network() -> None:
    x = torch.rand(2, 31, 6, 8)
    assert torch.equal(UpsampledInput(nn.Identity(), scale=4)(x), upsample_bicubic(x, 4))
    wrapped = UpsampledInput(SERT(5, dim=16, window_sizes=(8,), depths=(1,), num_heads=(2,), split_sizes=(1,)), scale=2)
    assert wrapped(torch.rand(1, 5, 8, 8)).shape == (1, 5, 16, 16)
    assert wrapped.input_channels == 5
    assert UpsampledInput(nn.Identity()).input_channels is None


def test_impossible_scale_gives_a_sentence() -> None:
    with pytest.raises(ValueError, match="scale 0 is below 1; give the whole factor"):
        UpsampledInput(nn.Identity(), scale=0)


def test_nearest_repeats_every_pixel() -> None:
    network = UpsampledInput(nn.Identity(), scale=2, interpolation="nearest")
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    expected = torch.tensor([[1.0, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    assert torch.equal(network(x)[0, 0], expected)
    with pytest.raises(ValueError, match="interpolation 'linear' is unknown; choose bicubic or nearest"):
        UpsampledInput(nn.Identity(), 2, "linear")  # type: ignore[arg-type]
