"""SERT against the published implementation's recorded outputs, at any size and in compact settings."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks import SERT
from tests.network_checks import draw_weights, parameters_without_gradient, restored_and_cropped, together_and_alone
from tests.published import Case, entry_shapes, our_names, parameter_count, published_case, published_input, tapped

PUBLISHED_ARGUMENTS = {
    "inp_channels": "input_channels",
    "weight_factor": "spectral_weight",
    "down_rank": "memory_reduction",
}
COMPACT: dict[str, Any] = {
    "dim": 32,
    "window_sizes": (8, 16),
    "depths": (2, 2),
    "num_heads": (2, 2),
    "split_sizes": (1, 2),
}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[SERT]:
    """Recorded case, its outputs, and our network built from the recorded configuration with the drawn weights."""
    return published_case(golden, shared / "golden" / "restoration", "sert", recorded_sert)


def recorded_sert(spec: dict[str, Any]) -> SERT:
    """Our network in the recorded configuration."""
    return SERT(**{PUBLISHED_ARGUMENTS.get(name, name): value for name, value in spec["config"].items()})


def test_output_and_inner_outputs_equal_the_published_network(case: Case[SERT], golden: ModuleType) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    layers = {
        path: network.get_submodule(path) for path in ("layers.0.blocks.1.attention.rectangles.0", "layers.0.blocks.1")
    }
    with tapped(layers) as taps, torch.no_grad():
        restored = network(x)
    assert golden.relative_error(restored, outputs["out"]) <= 1e-5
    window = taps["layers.0.blocks.1.attention.rectangles.0"][-1][0, :16, :16].reshape(1, 256, 48)
    expected = outputs["tap:layers.0.smsblock.1.attns.attns.0"]
    assert golden.relative_error(window[:1, :48, ::3], expected) <= 1e-5
    block = taps["layers.0.blocks.1"][-1].permute(0, 3, 1, 2)
    assert golden.relative_error(block[:1, ::8, ::4, ::4], outputs["tap:layers.0.smsblock.1"]) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case[SERT]) -> None:
    spec, _, network = case
    default = SERT()
    assert parameter_count(default) == spec["parameters"] == 1_905_319
    assert entry_shapes(default) == entry_shapes(network)


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case[SERT]) -> None:
    spec, _, network = case
    assert our_names(spec, SERT.official_names) == sorted(network.state_dict())


def reference_forward(network: Any, padded: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """The published order of operations, window by window and rectangle by rectangle, in plain loops."""
    shallow = network.conv_first(padded)
    features = shallow
    for layer in network.layers:
        start = features
        for block in layer.blocks:
            tokens = features.permute(0, 2, 3, 1)
            shifted = block.norm1(tokens).roll((-block.shift, -block.shift), (1, 2))
            attended = torch.zeros_like(shifted)
            side = block.attention.spectral.window
            for b, top, left in itertools.product(
                range(len(shifted)), range(0, shifted.shape[1], side), range(0, shifted.shape[2], side)
            ):
                window = shifted[b, top : top + side, left : left + side]
                attended[b, top : top + side, left : left + side] = reference_window(block.attention, window)
            tokens = tokens + attended.roll((block.shift, block.shift), (1, 2))
            features = (tokens + block.mlp(block.norm2(tokens))).permute(0, 3, 1, 2)
        features = start + layer.conv(features)
    restored: Tensor = network.conv_last(network.conv_features(features + shallow)) + padded
    return restored


def reference_window(attention: Any, window: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Rectangle and spectral attention of one `side x side x C` window."""
    side, _, channels = window.shape
    qkv = attention.qkv(window).view(side, side, 3, channels)
    joined = torch.zeros_like(window)
    for half, rectangle in enumerate(attention.rectangles):
        part = slice(half * channels // 2, (half + 1) * channels // 2)
        tall, wide = rectangle.rectangle
        for top, left in itertools.product(range(0, side, tall), range(0, side, wide)):
            area = (slice(top, top + tall), slice(left, left + wide))
            q, k, v = qkv[area][..., part].flatten(0, 1).unflatten(-1, (rectangle.heads, -1)).permute(1, 2, 0, 3)
            weights = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=-1)
            values = (weights @ v).transpose(0, 1).reshape(tall, wide, -1)
            image = qkv[area][..., 2, part].permute(2, 0, 1)
            joined[(*area, part)] = values + rectangle.position(image[None])[0].permute(1, 2, 0)
    shuffled = joined.view(side, side, 4, -1).transpose(-1, -2).reshape(side, side, channels)
    memory = attention.spectral
    mixed = memory.expand(nn.functional.gelu(memory.squeeze(window)))
    bank = memory.memory
    scores = torch.softmax(memory.to_rank(mixed.mean((0, 1))) @ bank * bank.shape[0] ** -0.5, dim=-1)
    gated = mixed * torch.sigmoid(memory.to_gate(bank @ scores))
    out: Tensor = attention.project(shuffled + attention.spectral_weight * gated)
    return out


def spread(network: SERT) -> SERT:
    """Give all weights a size at which every branch shows in the output."""
    draw_weights(network, torch.Generator().manual_seed(3))
    return network.eval()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 31, 32, 16)),
        (COMPACT | {"dim": 48, "num_heads": (4, 6), "split_sizes": (2, 4)}, (1, 31, 16, 32)),
        ({"dim": 24, "window_sizes": (8,), "depths": (3,), "num_heads": (2,), "split_sizes": (4,)}, (3, 31, 8, 8)),
    ],
)
def test_compact_settings_equal_a_plain_loop(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    network = spread(SERT(**settings))
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = reference_forward(network, x)
        assert torch.allclose(network(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("size", [(60, 28), (48, 64), (17, 33), (5, 5), (1, 40)])
def test_other_sizes_are_reflected_to_whole_windows_and_cropped(size: tuple[int, int]) -> None:
    network = spread(SERT(input_channels=5, **COMPACT))
    x = torch.rand(2, 5, *size, generator=torch.Generator().manual_seed(1))
    restored, expected = restored_and_cropped(network, x, multiple=16)
    assert restored.shape == x.shape
    assert torch.equal(restored, expected)


def test_a_batch_is_restored_like_its_cubes() -> None:
    network = spread(SERT(**COMPACT))
    x = torch.rand(3, 31, 20, 24, generator=torch.Generator().manual_seed(2))
    together, alone = together_and_alone(network, x)
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))


def test_every_parameter_receives_a_gradient() -> None:
    network = spread(SERT(input_channels=4, **COMPACT)).train()
    assert parameters_without_gradient(network, torch.rand(1, 4, 16, 16)) == set()


def test_published_initialisation() -> None:
    torch.manual_seed(0)
    network = SERT()
    linear = network.get_parameter("layers.1.blocks.0.attention.qkv.weight")
    assert linear.std().item() == pytest.approx(1e-3, rel=0.05)
    assert network.conv_features.weight.std().item() == pytest.approx((2 / (96 * 9)) ** 0.5, rel=0.05)
    assert not bool(network.get_parameter("conv_first.bias").any())


def test_identity_initialisation_returns_the_observation() -> None:
    x = torch.rand(1, 31, 16, 16)
    network = SERT(initialisation="identity", **COMPACT)
    assert torch.equal(network(x), x)
    network(x).square().mean().backward()
    gradient = network.conv_last.weight.grad
    assert gradient is not None
    assert bool(gradient.any())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"depths": (6, 6)}, "differ in length; give each one value per group"),
        ({"dim": 50}, "dim 50 does not divide by num_heads 6"),
        ({"num_heads": (3, 6, 6)}, r"num_heads 3 \(even\)"),
        ({"split_sizes": (3, 2, 4)}, "split size 3 does not divide window size 16"),
        ({"initialisation": "zero"}, "initialisation 'zero' is unknown"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SERT(**settings)
