"""SFCSR against the published implementation's recorded evaluation loop, and its band-by-band call."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules.networks import SFCSR
from lightning_modules.networks.restoration import sfcsr
from tests.network_checks import draw_factors_and_biases, gradients_of_both
from tests.plain.sfcsr import COMPACT, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input, tapped


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[SFCSR]:
    """Recorded case, its outputs, and our network with no arguments and the drawn weights."""
    return published_case(golden, shared / "golden" / "superresolution", "sfcsr", lambda _spec: SFCSR())


def test_output_and_contexts_equal_the_published_loop_over_bands(case: Case[SFCSR], golden: ModuleType) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    with tapped({"context": network.context}) as taps, torch.no_grad():
        assert golden.relative_error(network(x), outputs["output"]) <= 1e-5
    for band in (0, 1):
        context = taps["context"][0][:1, band, ::8, ::3, ::3]
        assert golden.relative_error(context, outputs[f"tap:feats{band}"]) <= 1e-5


def test_no_arguments_is_the_published_configuration(case: Case[SFCSR]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == 1_232_850
    assert our_names(spec, SFCSR.official_names) == sorted(network.state_dict())


def spread(**settings: Any) -> SFCSR:  # noqa: ANN401 - constructor arguments
    """A compact network whose factors and biases have sizes at which each of them shows in the output."""
    torch.manual_seed(0)
    network = SFCSR(**(COMPACT | settings))
    draw_factors_and_biases(network)
    return network


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (2, 7, 4, 5)),
        ({"scale": 2, "stages": 1}, (1, 3, 6, 3)),
        ({"scale": 3, "features": 6}, (2, 4, 3, 3)),
        ({"scale": 8}, (1, 5, 2, 1)),
    ],
)
def test_scales_bands_and_sizes_equal_the_plain_form(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    network = spread(**settings)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    assert restored.shape == (*shape[:2], *(network.scale * side for side in shape[2:]))
    torch.testing.assert_close(restored, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("pixels", [1, 24, 41, 60])
def test_any_number_of_bands_at_once_gives_the_same_cube(pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = spread()
    x = torch.rand(1, 7, 3, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        together = network(x)
        monkeypatch.setattr(sfcsr, "PIXELS_AT_ONCE", pixels)
        pieces = network(x)
    torch.testing.assert_close(pieces, together, rtol=1e-4, atol=1e-5 * float(together.abs().max()))


def test_bands_restored_one_by_one_equal_the_cube() -> None:
    network = spread()
    x = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(4))
    context, bands = None, []
    for band in range(5):
        restored, context = network.restore_band(x, band, context)
        assert restored.shape == (2, 1, 12, 16)
        assert context.shape == (2, 8, 3, 4)
        bands.append(restored)
    whole = network(x)
    torch.testing.assert_close(torch.cat(bands, dim=1), whole, rtol=1e-4, atol=1e-5 * float(whole.detach().abs().max()))


@pytest.mark.parametrize("detach", [True, False])
def test_gradients_equal_those_of_the_plain_form_and_reach_every_parameter(detach: bool) -> None:
    network = spread(detach_context=detach)
    x = torch.rand(2, 4, 3, 4, generator=torch.Generator().manual_seed(5))
    for name, ours, plain in gradients_of_both(network, plain_forward, x):
        assert bool(ours.any()), name
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5 * float(plain.abs().max()))


@pytest.mark.parametrize("detach", [True, False])
def test_gradient_flows_into_earlier_bands_only_when_asked_to(detach: bool) -> None:
    network = spread(detach_context=detach)
    x = torch.rand(1, 6, 3, 4, generator=torch.Generator().manual_seed(6)).requires_grad_()
    network(x)[:, 5].sum().backward()
    assert x.grad is not None
    assert bool(x.grad[:, 3:].any())
    assert bool(x.grad[:, :3].any()) != detach


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"scale": 5}, "scale 5 is not supported; choose 3 or a power of two"),
        ({"stages": 0}, "stages is 0; give at least 1"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SFCSR(**settings)


def test_too_few_bands_and_bands_out_of_order_give_a_sentence() -> None:
    with pytest.raises(ValueError, match="the cube has 2 bands but a band is restored from a group of three"):
        spread()(torch.rand(1, 2, 4, 4))
    with pytest.raises(ValueError, match="band 3 needs the context of band 2; restore the bands in order"):
        spread().restore_band(torch.rand(1, 5, 4, 4), 3)
