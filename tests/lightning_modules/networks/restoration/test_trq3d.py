"""TRQ3DNet against the published implementation's recorded outputs, at any size and in compact settings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules import load_official_state
from lightning_modules.networks import TRQ3DNet
from tests.network_checks import draw_weights, parameters_without_gradient, restored_and_cropped
from tests.plain.trq3d import COMPACT, plain_forward
from tests.published import Case, entry_shapes, our_names, parameter_count, published_case, published_input, tapped

PUBLISHED_ARGUMENTS = {
    "in_channels_tr": "input_channels",
    "channels": "channels",
    "num_half_layer": "depth",
    "sample_idx": "strided_layers",
    "has_ad": "alternating",
}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[TRQ3DNet]:
    """Recorded case, its outputs, and our network built from the recorded configuration with the drawn weights."""
    return published_case(golden, shared / "golden" / "restoration", "trq3d", as_recorded)


def as_recorded(spec: dict[str, Any]) -> TRQ3DNet:
    """Our network in the recorded configuration."""
    return TRQ3DNet(**{ours: spec["config"][theirs] for theirs, ours in PUBLISHED_ARGUMENTS.items()})


def test_output_and_inner_outputs_equal_the_published_network(case: Case[TRQ3DNet], golden: ModuleType) -> None:
    spec, outputs, network = case
    places = {
        "feature_extractor_qrnn": "extract_volume",
        "encoder.layers.0.qrnn_layer": "encoder.0.recurrent",
        "encoder.layers.1.tr_layer": "encoder.1.transformer.blocks",
    }
    x = published_input(golden, spec).squeeze(1)
    layers = {name: network.get_submodule(path) for name, path in places.items()}
    with tapped(layers) as taps, torch.no_grad():
        restored = network(x)
    assert golden.relative_error(restored, outputs["out"].squeeze(1)) <= 1e-5
    for name, seen in taps.items():
        tap = seen[-1]
        cut = tap[:1, ::4, ::6, ::4, ::4] if tap.ndim == 5 else tap.permute(0, 3, 1, 2)[:1, ::4, ::4, ::4]
        assert golden.relative_error(cut, outputs[f"tap:{name}"]) <= 1e-5
    assert golden.relative_error(network(x).detach(), outputs["out"].squeeze(1)) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case[TRQ3DNet]) -> None:
    spec, _, network = case
    default = TRQ3DNet()
    assert parameter_count(default) == spec["parameters"] == 679_107
    assert entry_shapes(default) == entry_shapes(network)


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case[TRQ3DNet]) -> None:
    spec, _, network = case
    assert our_names(spec, TRQ3DNet.official_names, TRQ3DNet.official_derived) == sorted(network.state_dict())
    for row in spec["state"]:
        if any(re.search(pattern, row["name"]) for pattern in TRQ3DNet.official_derived):
            assert row["derived"]


def test_a_file_with_position_indices_loads(case: Case[TRQ3DNet], golden: ModuleType) -> None:
    spec, _, network = case
    index = network.get_buffer("encoder.0.transformer.blocks.0.attention.index")
    names = [row["name"] for row in spec["state"] if row.get("derived")]
    assert len(names) == 16
    load_official_state(TRQ3DNet(), golden.official_state(spec) | dict.fromkeys(names, index))


def drawn(**settings: Any) -> TRQ3DNet:  # noqa: ANN401 - constructor arguments
    """A network whose weights and statistics are drawn so that every branch shows in the output."""
    network = TRQ3DNet(**settings)
    generator = torch.Generator().manual_seed(3)
    draw_weights(network, generator)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator).mul_(0.1)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data += 1
    return network.eval()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 31, 8, 16)),
        ({"input_channels": 5, "channels": 4, "depth": 3, "window_size": 2, "num_heads": 1}, (1, 5, 8, 4)),
        (COMPACT | {"input_channels": 3, "alternating": False, "mlp_ratio": 1.5}, (1, 3, 16, 8)),
        (COMPACT | {"input_channels": 1, "depth": 1, "strided_layers": ()}, (3, 1, 4, 12)),
    ],
)
def test_other_settings_equal_the_plain_form(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    network = drawn(**({"strided_layers": (1,)} | settings))
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    for mode in (False, True):
        # While it trains, the batch's own statistics count.
        network.train(mode)
        expected = plain_forward(network, x).detach()
        scale = float(expected.abs().max())
        assert torch.allclose(network(x), expected, rtol=1e-3, atol=1e-4 * scale)
    network.eval()
    with torch.no_grad():
        expected = plain_forward(network, x)
        assert torch.allclose(network(x), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_only_alternating_layers_run_backward() -> None:
    directions = [
        [layer.recurrent.direction for layer in (*network.encoder, *network.decoder)]
        for network in (TRQ3DNet(**COMPACT), TRQ3DNet(**COMPACT, alternating=False))
    ]
    assert directions == [["forward", "backward", "forward", "backward"], ["forward"] * 4]


@pytest.mark.parametrize("size", [(9, 8), (16, 21), (1, 3)])
def test_other_sizes_are_reflected_to_whole_windows_and_cropped(size: tuple[int, int]) -> None:
    network = drawn(input_channels=2, **COMPACT)
    x = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(1))
    restored, expected = restored_and_cropped(network, x, multiple=8)
    assert restored.shape == x.shape
    assert torch.equal(restored, expected)


def test_every_parameter_receives_a_gradient() -> None:
    network = drawn(input_channels=4, **COMPACT).train()
    assert parameters_without_gradient(network, torch.rand(2, 4, 16, 16)) == set()


def test_published_initialisation() -> None:
    torch.manual_seed(0)
    network = TRQ3DNet()
    gates = network.get_parameter("encoder.3.recurrent.gates.weight")
    assert gates.std().item() == pytest.approx((2 / (128 * 27)) ** 0.5, rel=0.05)
    linear = network.get_parameter("encoder.0.transformer.blocks.1.attention.key_value.weight")
    assert linear.std().item() == pytest.approx(1e-3, rel=0.1)
    table = network.get_parameter("decoder.0.transformer.blocks.0.attention.bias_table")
    assert table.std().item() == pytest.approx(0.02, rel=0.1)
    assert not bool(network.merge.bias is None or network.merge.bias.any())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"input_channels": 0}, "input_channels 0, channels 16, depth 4 and num_heads 4 must all be at least 1"),
        ({"channels": 10}, "num_heads 4 does not divide channels 10"),
        ({"window_size": 7}, "window_size 7 is not even"),
        ({"strided_layers": (2, 2)}, r"strided_layers \[2, 2\] are not different layers of 0 to 3"),
        ({"strided_layers": (4,)}, "name encoder layers, each once"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TRQ3DNet(**settings)
