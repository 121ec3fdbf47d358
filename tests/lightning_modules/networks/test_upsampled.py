"""Bicubic upsampling against MATLAB-compatible values, and the wrapper for super-resolution."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

import hyperalign
from datamodules import BicubicDownsampling, FusionObservation
from datamodules.degradations.point_spread import PointSpreadName
from lightning_modules import RestorationModule
from lightning_modules.checkpoints import network_identity
from lightning_modules.networks import SERT, UpsampledInput
from lightning_modules.networks.upsampled import downsample_bicubic, upsample_bicubic


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


def test_a_wrapper_is_for_four_times_as_many_pixels_and_wants_their_phase() -> None:
    wrapped = UpsampledInput(nn.Identity())
    assert (wrapped.scale, wrapped.interpolation, wrapped.back_projection) == (4, "bicubic", 0)
    assert wrapped.takes_phase is wrapped.is_wrapper is True


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


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downsampling_is_the_task(scale: int) -> None:
    cube = torch.rand(3, 6 * scale, 4 * scale, generator=torch.Generator().manual_seed(scale))
    reduced = BicubicDownsampling(scale=scale, convention="matlab")(cube, torch.Generator())
    torch.testing.assert_close(downsample_bicubic(cube, scale), reduced, rtol=0, atol=1e-6)


def test_back_projection_brings_the_restored_cube_to_agree_with_the_observation() -> None:
    observation = torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    rests = []
    for steps in range(3):
        network = UpsampledInput(nn.Conv2d(2, 2, 3, padding=1), 4, back_projection=steps).eval()
        torch.manual_seed(0)
        nn.init.dirac_(network.network.weight)  # type: ignore[arg-type]
        nn.init.constant_(network.network.bias, 0.1)  # type: ignore[arg-type]
        with torch.no_grad():
            rests.append(float((downsample_bicubic(network(observation), 4) - observation).abs().mean()))
            network.train()
            assert float((network(observation) - network.network(upsample_bicubic(observation, 4))).abs().max()) == 0
    assert rests[1] < 0.35 * rests[0]
    assert rests[2] < 0.6 * rests[1]


def test_back_projection_is_for_the_reduction_that_it_knows() -> None:
    with pytest.raises(ValueError, match="back_projection -1 is below 0"):
        UpsampledInput(nn.Identity(), back_projection=-1)
    network = UpsampledInput(nn.Identity(), 4, back_projection=1).eval()
    with pytest.raises(ValueError, match="these have the phase 0; set it to 0"):
        network(torch.rand(1, 2, 8, 8), phase=0.0)


def test_the_front_door_sets_it_for_one_call(tmp_path: Path) -> None:
    inner = SERT(2, dim=8, window_sizes=[8], depths=[1], num_heads=[2], split_sizes=[1], initialisation="identity")
    module = RestorationModule(UpsampledInput(inner, 4))
    checkpoint: dict[str, object] = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "x4.ckpt")
    cube = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0))
    plain, projected, again = (
        hyperalign.restore(cube, tmp_path / "x4.ckpt", back_projection=steps) for steps in (None, 1, None)
    )
    assert torch.equal(plain, again)
    rests = [float((downsample_bicubic(one, 4) - cube).abs().mean()) for one in (plain, projected)]
    assert rests[1] < 0.6 * rests[0]
    with pytest.raises(ValueError, match="`back_projection` is -1"):
        hyperalign.restore(cube, tmp_path / "x4.ckpt", back_projection=-1)


def test_back_projection_takes_pixels_in_the_middle_of_their_blocks_and_no_others() -> None:
    network = UpsampledInput(nn.Identity(), 4, back_projection=1).eval()
    observation = torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(observation, phase=1.5), network(observation))
    for phase in (1.0, 2.0, 2.5):
        with pytest.raises(ValueError, match=f"these have the phase {phase:g}; set it to 0"):
            network(observation, phase=phase)
    assert repr(network).count("back_projection=1") == 1
