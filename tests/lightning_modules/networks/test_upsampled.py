"""Bicubic upsampling against MATLAB-compatible values, and the wrapper for super-resolution."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from datamodules import FusionObservation
from datamodules.degradations.point_spread import PointSpreadName
from lightning_modules.checkpoints import network_identity
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


SPREADS = [("srlf", None), ("block_centred", None), ("block_mean", None), ("bicubic", None), ("gaussian", 0.0)]


@pytest.mark.parametrize(("psf", "offset"), [*SPREADS, ("gaussian", 1.0), ("gaussian", 2.5)])
@pytest.mark.parametrize("ratio", [4, 5, 7, 8])
def test_an_enlarged_observation_of_a_ramp_lies_on_the_ramp(
    psf: PointSpreadName, offset: float | None, ratio: int
) -> None:
    kernel = {} if offset is None else {"kernel_size": 5, "sigma": 1.2, "offset": offset}
    task = FusionObservation(ratio, psf, **kernel)  # type: ignore[arg-type]
    size = 16 * ratio
    ramp = torch.arange(size, dtype=torch.float64) / size
    scene = (0.25 + 0.5 * ramp[:, None] - 0.25 * ramp).expand(3, -1, -1).contiguous()
    observation = task(scene, torch.Generator())
    enlarged = upsample_bicubic(observation, ratio, task.phase)
    inside = slice(4 * ratio, -4 * ratio)
    assert torch.allclose(enlarged[:, inside, inside], scene[:, inside, inside], atol=1e-9)


def test_without_a_phase_pixels_lie_in_the_middle_of_their_blocks() -> None:
    image = torch.rand(2, 6, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(upsample_bicubic(image, 5), upsample_bicubic(image, 5, 2.0))
    assert not torch.allclose(upsample_bicubic(image, 5), upsample_bicubic(image, 5, 0.0), atol=1e-2)


def test_a_wrapped_network_is_given_the_enlargement_of_that_phase() -> None:
    image = torch.rand(1, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    wrapped = UpsampledInput(torch.nn.Identity(), 4)
    assert torch.equal(wrapped(image, phase=0.0), upsample_bicubic(image, 4, 0.0))


def test_a_factor_of_one_leaves_the_observation_and_the_network_is_named() -> None:
    wrapped = UpsampledInput(nn.Identity(), scale=1)
    cube = torch.rand(1, 3, 4, 5)
    torch.testing.assert_close(wrapped(cube), cube)
    assert network_identity(wrapped) == "UpsampledInput(Identity)"
