"""Bi-3DQRNN against the published implementation's recorded outputs, at any size and in compact settings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules import load_official_state
from lightning_modules.networks import Bi3DQRNN, UpsampledInput
from tests.plain.bi3dqrnn import COMPACT, plain_forward

PUBLISHED_ARGUMENTS = {"channels": "channels", "num_half_layer": "depth", "sample_idx": "strided_layers"}
Case = tuple[dict[str, Any], dict[str, Tensor], Bi3DQRNN]


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case:
    """Recorded case, its outputs, and our network built from the recorded configuration with the drawn weights."""
    spec, outputs = golden.load_case(shared / "golden" / "superresolution", "bi3dqrnn")
    settings = {ours: spec["config"][theirs] for theirs, ours in PUBLISHED_ARGUMENTS.items()}
    network = Bi3DQRNN(**settings)
    load_official_state(network, golden.official_state(spec))
    return spec, outputs, network.eval()


def test_output_and_inner_outputs_equal_the_published_network(case: Case, golden: ModuleType) -> None:
    spec, outputs, network = case
    taps: dict[str, Tensor] = {}
    for name, layer in (("feature_extractor", network.feature_extractor), ("encoder", network.encoder[-1])):
        layer.register_forward_hook(lambda _module, _inputs, output, name=name: taps.__setitem__(name, output))
    x = golden.draw_input(spec["input"]["name"], tuple(spec["input"]["shape"]), spec["seed"]).squeeze(1)
    with torch.no_grad():
        restored = network(x)
    assert golden.relative_error(restored, outputs["output"].squeeze(1)) <= 1e-5
    for name, tap in taps.items():
        assert golden.relative_error(tap[:1, ::8, ::6, ::4, ::4], outputs[f"tap:{name}"]) <= 1e-5
    assert golden.relative_error(network(x).detach(), outputs["output"].squeeze(1)) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case) -> None:
    spec, _, network = case
    default = Bi3DQRNN()
    assert sum(parameter.numel() for parameter in default.parameters()) == spec["parameters"] == 1_288_227
    assert {k: v.shape for k, v in default.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case) -> None:
    spec, _, network = case
    ours = []
    for row in spec["state"]:
        name = row["name"]
        for pattern, replacement in Bi3DQRNN.official_names:
            name = re.sub(pattern, replacement, name)
        ours.append(name)
    assert sorted(ours) == sorted(network.state_dict())


def drawn(**settings: Any) -> Bi3DQRNN:  # noqa: ANN401 - constructor arguments
    """A network with fixed random weights, large enough to bend the gates."""
    torch.manual_seed(3)
    network = Bi3DQRNN(**settings)
    for parameter in network.parameters():
        parameter.data.mul_(2)
    return network.eval()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 31, 8, 12)),
        ({"channels": 3, "depth": 3, "strided_layers": (0, 2)}, (1, 5, 12, 8)),
        ({"channels": 2, "depth": 4, "strided_layers": (0, 1, 2)}, (2, 17, 8, 16)),
        ({"channels": 2, "depth": 1, "strided_layers": ()}, (3, 1, 5, 7)),
    ],
)
def test_other_settings_equal_the_plain_form(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    network = drawn(**settings)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    expected = plain_forward(network, x)
    assert torch.allclose(network(x), expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(network(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(9, 8), (6, 15), (1, 3)])
def test_other_sizes_are_reflected_and_cropped(size: tuple[int, int]) -> None:
    network = drawn(channels=2, depth=3, strided_layers=(0, 2))
    height, width = size
    x = torch.rand(1, 4, height, width, generator=torch.Generator().manual_seed(1))
    rows, columns = ([mirrored(i, n) for i in range(-(-n // 4) * 4)] for n in size)
    with torch.no_grad():
        expected = network(x[..., rows, :][..., columns])[..., :height, :width]
        assert torch.equal(network(x), expected)


def mirrored(index: int, size: int) -> int:
    """Index inside a signal reflected at its ends, edge not repeated, as often as necessary."""
    while size > 1 and index >= size:
        index = abs(2 * size - 2 - index)
    return index if size > 1 else 0


def test_a_correction_of_at_most_two_is_added_to_any_number_of_bands() -> None:
    network = drawn(**COMPACT)
    for bands in (1, 3, 40):
        x = 1000 * torch.rand(1, bands, 4, 4, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            assert float((network(x) - x).abs().max()) < 2.001


def test_behind_upsampled_input_it_enlarges() -> None:
    network = UpsampledInput(drawn(**COMPACT), scale=4)
    assert network.input_channels is None
    with torch.no_grad():
        assert network(torch.rand(1, 6, 5, 3)).shape == (1, 6, 20, 12)


def test_every_parameter_receives_a_gradient() -> None:
    network = drawn(**COMPACT).train()
    network(torch.rand(1, 4, 8, 8)).square().mean().backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in network.parameters())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"depth": 0}, "depth 0 must both be at least 1"),
        ({"channels": 0}, "channels 0 and depth 5"),
        ({"strided_layers": (1, 5)}, r"strided_layers \[1, 5\] are not different layers of 0 to 4"),
        ({"strided_layers": (1, 1)}, "name encoder layers, each once"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Bi3DQRNN(**settings)
