"""ESSAformer against the published implementation's recorded outputs, at other scales, sizes and settings."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules.networks import ESSAformer
from tests.network_checks import gradients_of_both
from tests.plain.essaformer import COMPACT, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input, tapped


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[ESSAformer]:
    """Recorded case, its outputs, and our network with no arguments and the drawn weights."""
    return published_case(golden, shared / "golden" / "superresolution", "essaformer", lambda _spec: ESSAformer())


def test_output_and_first_blocks_equal_the_published_network(case: Case[ESSAformer], golden: ModuleType) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    with tapped({name: network.get_submodule(name) for name in ("high", "low")}) as taps, torch.no_grad():
        assert golden.relative_error(network(x), outputs["output"]) <= 1e-5
    assert [len(seen) for seen in taps.values()] == [3, 2]
    high, low = outputs["tap:blockup.convup (first call)"], outputs["tap:blockup.convdown (first call)"]
    assert golden.relative_error(taps["high"][0][:1, ::8, ::3, ::3], high) <= 1e-5
    assert golden.relative_error(taps["low"][0][:1, ::8, ::3, ::3], low) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case[ESSAformer]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == 11_193_759
    assert our_names(spec, ESSAformer.official_names) == sorted(network.state_dict())


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 31, 5, 7)),
        (COMPACT | {"scale": 2, "input_channels": 4}, (1, 4, 8, 3)),
        (COMPACT | {"scale": 8, "input_channels": 3}, (1, 3, 2, 1)),
        ({"dim": 18, "scale": 3, "input_channels": 2}, (3, 2, 4, 5)),
    ],
)
def test_scales_and_sizes_equal_the_plain_form(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = ESSAformer(**settings).eval()
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    assert restored.shape == (*shape[:2], *(network.scale * side for side in shape[2:]))
    torch.testing.assert_close(restored, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_gradients_equal_those_of_the_plain_form_and_reach_every_parameter() -> None:
    torch.manual_seed(0)
    network = ESSAformer(input_channels=4, dropout=0.0, **COMPACT).train()
    x = torch.rand(2, 4, 4, 4, generator=torch.Generator().manual_seed(2))
    for name, ours, plain in gradients_of_both(network, plain_forward, x):
        assert bool(ours.any()), name
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-6)


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    network = ESSAformer(input_channels=4, **COMPACT)
    x = torch.rand(1, 4, 4, 4)
    assert not torch.equal(network.train()(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


def test_a_part_of_an_image_is_restored_otherwise_than_within_it() -> None:
    torch.manual_seed(0)
    network = ESSAformer(input_channels=4, scale=2, **COMPACT).eval()
    x = torch.rand(1, 4, 48, 8, generator=torch.Generator().manual_seed(3))
    x[..., 24:, :] *= 0.1
    with torch.no_grad():
        whole, part = network(x), network(x[..., :40, :])
    # Convolutions reach fewer than 12 low-resolution pixels; the difference is attention over the whole image.
    assert float((whole[..., :8, :] - part[..., :8, :]).abs().max()) > 1e-5


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"scale": 6}, "scale 6 is not supported; choose 3 or a power of two"),
        ({"scale": 1}, "scale 1 is not supported"),
        ({"scale": 3}, "dim 256 does not divide by 9, which scale 3 needs"),
        ({"dim": 30}, "dim 30 does not divide by 4, which scale 4 needs"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ESSAformer(**settings)
