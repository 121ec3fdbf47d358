"""MCNet against the published implementation's recorded outputs, at other scales, sizes, bands and settings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import load_official_state
from lightning_modules.networks import MCNet
from tests.plain.mcnet import COMPACT, plain_forward

Case = tuple[dict[str, Any], dict[str, Tensor], MCNet]


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case:
    """Recorded case, its outputs, and our network with no arguments and the drawn weights."""
    spec, outputs = golden.load_case(shared / "golden" / "superresolution", "mcnet")
    network = MCNet()
    load_official_state(network, golden.official_state(spec))
    return spec, outputs, network.eval()


def test_output_head_and_first_block_equal_the_published_network(case: Case, golden: ModuleType) -> None:
    spec, outputs, network = case
    taps: list[Tensor] = []
    network.blocks[0].register_forward_hook(lambda _module, inputs, output: taps.extend([inputs[0], output]))
    x = golden.draw_input(spec["input"]["name"], tuple(spec["input"]["shape"]), spec["seed"])
    with torch.no_grad():
        assert golden.relative_error(network(x), outputs["output"]) <= 1e-5
    for tap, name in zip(taps, ("tap:head", "tap:SSRM1"), strict=True):
        features = tap.unflatten(0, (1, 31)).transpose(1, 2)
        assert golden.relative_error(features[:1, ::8, ::6, ::4, ::4], outputs[name]) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case) -> None:
    spec, _, network = case
    assert sum(parameter.numel() for parameter in network.parameters()) == spec["parameters"] == 2_174_094
    names = [row["name"] for row in spec["state"]]
    for pattern, replacement in MCNet.official_names:
        names = [re.sub(pattern, replacement, name) for name in names]
    assert sorted(names) == sorted(network.state_dict())


def spread(network: nn.Module) -> nn.Module:
    """Give factors and biases sizes at which each of them shows in the output."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in network.named_parameters():
        if name.endswith("weight_g"):
            parameter.data *= 1 + torch.rand(parameter.shape, generator=generator)
        elif parameter.ndim == 1:
            parameter.data = torch.randn(parameter.shape, generator=generator)
    return network


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 31, 4, 5)),
        (COMPACT | {"scale": 2, "input_channels": 5, "units": 2}, (1, 5, 6, 3)),
        (COMPACT | {"scale": 3, "input_channels": 4, "band_means": [0.1, 0.2, 0.3, 0.4]}, (3, 4, 3, 3)),
        (COMPACT | {"scale": 8, "input_channels": 1, "features": 6}, (1, 1, 2, 1)),
        (COMPACT | {"band_means": "harvard"}, (1, 31, 3, 4)),
    ],
)
def test_scales_bands_and_sizes_equal_the_plain_form(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = spread(MCNet(**settings))
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    scale = settings.get("scale", 4)
    assert restored.shape == (*shape[:2], *(scale * side for side in shape[2:]))
    torch.testing.assert_close(restored, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_gradients_equal_those_of_the_plain_form_and_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = spread(MCNet(input_channels=5, **COMPACT))
    x = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(2))
    network(x).square().mean().backward()
    ours = [parameter.grad for parameter in network.parameters()]
    network.zero_grad()
    plain_forward(network, x).square().mean().backward()
    for mine, parameter in zip(ours, network.parameters(), strict=True):
        assert mine is not None
        assert parameter.grad is not None
        assert bool(mine.any())
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-3, atol=1e-5 * float(parameter.grad.abs().max()))


def test_band_means_are_caves_for_31_bands_and_zero_otherwise() -> None:
    assert float(MCNet(**COMPACT).band_means[30]) == pytest.approx(0.1541)
    assert not bool(MCNet(input_channels=30, **COMPACT).band_means.any())
    assert float(MCNet(band_means="icvl", **COMPACT).band_means[0]) == pytest.approx(0.0944)
    assert "band_means" not in MCNet(**COMPACT).state_dict()


def test_band_means_are_taken_off_and_added_again() -> None:
    torch.manual_seed(0)
    without = MCNet(input_channels=3, **COMPACT)
    network = MCNet(input_channels=3, band_means=[0.5, 1.0, 2.0], **COMPACT)
    network.load_state_dict(without.state_dict())
    x = torch.rand(1, 3, 4, 4)
    offset = torch.tensor([0.5, 1.0, 2.0])[:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(network(x + offset), without(x) + offset)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"scale": 1}, "scale 1 is below 2; give the whole factor of the task"),
        ({"band_means": [0.1, 0.2]}, "band_means has 2 values but input_channels is 31; give one mean for each band"),
        ({"band_means": "harvard", "input_channels": 5}, "band_means has 31 values but input_channels is 5"),
        ({"band_means": "pavia"}, "band_means 'pavia' is unknown; give cave, harvard, icvl or a list"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MCNet(**settings)


def test_cube_of_other_bands_gives_a_sentence() -> None:
    with pytest.raises(ValueError, match="the cube has 5 bands but the network has means of 31; set input_channels"):
        MCNet(**COMPACT)(torch.rand(1, 5, 4, 4))
