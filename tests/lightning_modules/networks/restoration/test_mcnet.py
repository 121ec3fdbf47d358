"""MCNet against the published implementation's recorded outputs, at other scales, sizes, bands and settings."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.networks import MCNet
from tests.network_checks import draw_factors_and_biases, gradients_of_both
from tests.plain.mcnet import COMPACT, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[MCNet]:
    """Recorded case, its outputs, and our network with no arguments and the drawn weights."""
    return published_case(golden, shared / "golden" / "superresolution", "mcnet", lambda _spec: MCNet())


def test_output_head_and_first_block_equal_the_published_network(case: Case[MCNet], golden: ModuleType) -> None:
    spec, outputs, network = case
    taps: list[Tensor] = []
    network.blocks[0].register_forward_hook(lambda _module, inputs, output: taps.extend([inputs[0], output]))
    x = published_input(golden, spec)
    with torch.no_grad():
        assert golden.relative_error(network(x), outputs["output"]) <= 1e-5
    for tap, name in zip(taps, ("tap:head", "tap:SSRM1"), strict=True):
        features = tap.unflatten(0, (1, 31)).transpose(1, 2)
        assert golden.relative_error(features[:1, ::8, ::6, ::4, ::4], outputs[name]) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case[MCNet]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == 2_174_094
    assert our_names(spec, MCNet.official_names) == sorted(network.state_dict())


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
    network = MCNet(**settings)
    draw_factors_and_biases(network)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    scale = settings.get("scale", 4)
    assert restored.shape == (*shape[:2], *(scale * side for side in shape[2:]))
    torch.testing.assert_close(restored, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_gradients_equal_those_of_the_plain_form_and_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = MCNet(input_channels=5, **COMPACT)
    draw_factors_and_biases(network)
    x = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(2))
    for name, ours, plain in gradients_of_both(network, plain_forward, x):
        assert bool(ours.any()), name
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5 * float(plain.abs().max()))


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
