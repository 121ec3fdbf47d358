"""Bi-3DQRNN against the published implementation's recorded outputs, at any size and in compact settings."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules.networks import Bi3DQRNN, UpsampledInput
from tests.network_checks import parameters_without_gradient, restored_and_cropped
from tests.plain.bi3dqrnn import COMPACT, plain_forward
from tests.published import Case, entry_shapes, our_names, parameter_count, published_case, published_input, tapped

PUBLISHED_ARGUMENTS = {"channels": "channels", "num_half_layer": "depth", "sample_idx": "strided_layers"}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[Bi3DQRNN]:
    """Recorded case, its outputs, and our network built from the recorded configuration with the drawn weights."""
    return published_case(golden, shared / "golden" / "superresolution", "bi3dqrnn", configured)


def configured(spec: dict[str, Any]) -> Bi3DQRNN:
    """Our network in the recorded configuration."""
    return Bi3DQRNN(**{ours: spec["config"][theirs] for theirs, ours in PUBLISHED_ARGUMENTS.items()})


def test_output_and_inner_outputs_equal_the_published_network(case: Case[Bi3DQRNN], golden: ModuleType) -> None:
    spec, outputs, network = case
    layers = {"feature_extractor": network.feature_extractor, "encoder": network.encoder[-1]}
    x = published_input(golden, spec).squeeze(1)
    with tapped(layers) as taps, torch.no_grad():
        restored = network(x)
    assert golden.relative_error(restored, outputs["output"].squeeze(1)) <= 1e-5
    for name, seen in taps.items():
        assert golden.relative_error(seen[-1][:1, ::8, ::6, ::4, ::4], outputs[f"tap:{name}"]) <= 1e-5
    assert golden.relative_error(network(x).detach(), outputs["output"].squeeze(1)) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case[Bi3DQRNN]) -> None:
    spec, _, network = case
    default = Bi3DQRNN()
    assert parameter_count(default) == spec["parameters"] == 1_288_227
    assert entry_shapes(default) == entry_shapes(network)


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case[Bi3DQRNN]) -> None:
    spec, _, network = case
    assert our_names(spec, Bi3DQRNN.official_names) == sorted(network.state_dict())


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
    x = torch.rand(1, 4, *size, generator=torch.Generator().manual_seed(1))
    restored, expected = restored_and_cropped(network, x, multiple=4)
    assert restored.shape == x.shape
    assert torch.equal(restored, expected)


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
    assert parameters_without_gradient(network, torch.rand(1, 4, 8, 8)) == set()


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
