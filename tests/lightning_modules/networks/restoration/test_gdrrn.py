"""GDRRN against the published implementation's recorded outputs, with and without its in-place accident."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules.networks import GDRRN, UpsampledInput
from tests.network_checks import gradients_of_both
from tests.plain.gdrrn import COMPACT, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input, tapped


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[GDRRN]:
    """Recorded case, its outputs, and our network with no arguments and the drawn weights."""
    return published_case(golden, shared / "golden" / "superresolution", "gdrrn", lambda _spec: GDRRN())


def test_output_and_first_features_equal_the_published_network(case: Case[GDRRN], golden: ModuleType) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    with tapped({"first": network.conv_first}) as taps, torch.no_grad():
        assert golden.relative_error(network(x), outputs["output"]) <= 1e-5
    assert golden.relative_error(taps["first"][0][:1, ::8, ::3, ::3], outputs["tap:input"]) <= 1e-5


def test_cube_with_negative_values_is_rectified_where_the_published_network_does(
    case: Case[GDRRN], golden: ModuleType
) -> None:
    spec, outputs, network = case
    shifted = published_input(golden, spec) - 0.2
    before = shifted.clone()
    with torch.no_grad():
        assert golden.relative_error(network(shifted)[:, ::3], outputs["output_shifted"]) <= 1e-5
        corrected = GDRRN(rectified_skips=False)
        corrected.load_state_dict(network.state_dict())
        assert golden.relative_error(corrected(shifted)[:, ::3], outputs["output_shifted"]) > 1e-2
    assert torch.equal(shifted, before)


def test_no_arguments_is_the_published_configuration(case: Case[GDRRN]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == 218_880
    assert our_names(spec, GDRRN.official_names) == sorted(network.state_dict())


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 31, 12, 20)),
        (COMPACT | {"rectified_skips": False}, (1, 31, 7, 9)),
        (COMPACT | {"input_channels": 5, "groups": 4, "recursions": 1}, (3, 5, 1, 6)),
    ],
)
def test_settings_and_sizes_equal_the_plain_form(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = GDRRN(**settings)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(network(x), plain_forward(network, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rectified", [True, False])
def test_gradients_equal_those_of_the_plain_form(rectified: bool) -> None:
    torch.manual_seed(0)
    network = GDRRN(input_channels=4, rectified_skips=rectified, **COMPACT)
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    for name, ours, plain in gradients_of_both(network, plain_forward, x):
        assert bool(ours.any()), name
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


def test_behind_bicubic_enlargement_it_gives_the_larger_cube() -> None:
    network = UpsampledInput(GDRRN(input_channels=4, **COMPACT), scale=3)
    assert network(torch.rand(2, 4, 5, 6)).shape == (2, 4, 15, 18)
    assert network.input_channels == 4


def test_published_initialisation() -> None:
    torch.manual_seed(0)
    network = GDRRN()
    assert network.conv_first.weight.std().item() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.02)
    assert network.conv_last.weight.std().item() == pytest.approx((2 / (9 * 31)) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"groups": 3}, "channels 128 do not divide by groups 3; choose a multiple of it"),
        ({"recursions": 0}, "recursions is 0; give at least 1"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GDRRN(**settings)
