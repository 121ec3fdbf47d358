"""BDT against the published implementation's recorded outputs, at other ratios, sizes and settings."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks import BDT
from lightning_modules.networks.fusion.enlargement import enlarge_from_phase
from tests.pairs import (
    assert_equal_to_plain,
    assert_gradients_equal_to_plain,
    assert_refuses,
    assert_takes_the_phase,
    mirrored,
    pair,
    relative,
    together_and_alone_pairs,
)
from tests.plain.bdt import COMPACT, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_inputs, tap_error, tapped

PARAMETERS = {"bdt_x4": 2_668_027, "bdt_x8": 3_952_209}


@pytest.fixture(scope="module", params=["bdt_x4", "bdt_x8"])
def case(request: pytest.FixtureRequest, shared: Path, golden: ModuleType) -> Case[BDT]:
    """Recorded case, its outputs, and our network of that ratio with the drawn weights."""
    ratio = int(request.param[-1])
    return published_case(golden, shared / "golden" / "fusion", request.param, lambda _spec: BDT(ratio=ratio), "model.")


def test_output_and_inner_outputs_equal_the_published_network(case: Case[BDT], golden: ModuleType) -> None:
    spec, outputs, network = case
    images = published_inputs(golden, spec)
    layers = {"t.direction2.stage1": "spectral.stages.0", "t.merge1": "merges.0"}
    deepest = "t.direction1.stage4" if network.ratio == 8 else "t.direction1.stage1"
    layers[deepest] = f"spatial.stages.{int(deepest[-1]) - 1}"
    with tapped({tap: network.get_submodule(path) for tap, path in layers.items()}) as seen, torch.no_grad():
        fused = network(images["lr_hsi"], images["hr_msi"], images["lr_hsi_up"])
    expected = outputs["out"]
    assert golden.relative_error(fused[..., ::2, 1::2] if network.ratio == 8 else fused, expected) <= 1e-5
    assert set(outputs) == {"out", *(f"tap:{tap}" for tap in layers)}
    inner = {tap: found[0] for tap, found in seen.items()}
    inner[deepest] = inner[deepest].flatten(1, 2)
    inner["t.merge1"] = functional.leaky_relu(inner["t.merge1"], 0.2)
    for tap, ours in inner.items():
        assert tap_error(golden, spec, outputs, tap, ours) <= 1e-5, tap


def test_published_configurations_and_names(case: Case[BDT]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == PARAMETERS[f"bdt_x{network.ratio}"]
    assert our_names(spec, BDT.official_names) == sorted(network.state_dict())
    assert parameter_count(BDT()) == PARAMETERS["bdt_x4"]


@pytest.mark.parametrize(
    ("settings", "size", "batch"),
    [
        ({}, (16, 16), 1),
        (COMPACT | {"ratio": 2, "input_channels": 7, "multispectral_channels": 4}, (16, 32), 2),
        (COMPACT | {"ratio": 8, "activation": "all", "attention_scale": None}, (16, 16), 1),
        ({"dim": 4, "spectral_dim": 4, "heads": 2, "ratio": 16, "input_channels": 5}, (16, 16), 1),
    ],
)
def test_ratios_sizes_and_batches_equal_the_plain_form(
    settings: dict[str, Any], size: tuple[int, int], batch: int
) -> None:
    network = lively(BDT(**settings))
    images = pair(network.input_channels, network.multispectral_channels, network.ratio, size, batch)
    assert_equal_to_plain(network, plain_forward, images)


def lively(network: BDT) -> BDT:
    """Draw linear weights large enough that the attention shows in the answer."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 2:
            parameter.data = torch.randn(parameter.shape, generator=generator) / parameter.shape[1] ** 0.5
        elif "temperature" in name:
            parameter.data = 1 + torch.rand(parameter.shape, generator=generator)
    return network


def test_gradients_equal_those_of_the_plain_form() -> None:
    network = lively(BDT(input_channels=5, ratio=2, dim=8, spectral_dim=8, heads=2))
    assert_gradients_equal_to_plain(network, plain_forward, pair(5, 3, 2, (16, 16), batch=2))


def test_any_size_is_continued_by_reflection_over_the_same_ground() -> None:
    network = lively(BDT(input_channels=5, ratio=2, dim=8, spectral_dim=8, heads=2)).eval()
    cube, image = pair(5, 3, 2, (11, 18))
    with torch.no_grad():
        fused = network(cube, image)
        # Given, as the border of the continued cube is not that of the cube.
        enlarged = mirrored(enlarge_from_phase(cube, 2, None), 32, 64)
        whole = network(mirrored(cube, 16, 32), mirrored(image, 32, 64), enlarged)
    assert relative(fused, whole[..., :22, :36]) <= 1e-6


def test_batch_mates_do_not_matter() -> None:
    together, alone = together_and_alone_pairs(lively(BDT(5, 3, 2, 8, 8, 2)), pair(5, 3, 2, (5, 7), batch=3))
    assert relative(together, alone) <= 1e-5


def test_the_enlarged_cube_may_be_given() -> None:
    network = lively(BDT(5, 3, 2, 8, 8, 2)).eval()
    cube, image = pair(5, 3, 2, (16, 16))
    nearest = cube.repeat_interleave(2, -1).repeat_interleave(2, -2)
    with torch.no_grad():
        difference = network(cube, image, nearest) - network(cube, image)
    assert float(difference.abs().max()) > 0.01


def test_impossible_settings_and_images_give_a_sentence() -> None:
    for settings, sentence in (
        ({"ratio": 6}, "BDT: ratio 6 is not supported; its levels halve"),
        ({"ratio": 1}, "BDT: ratio 1 is not supported"),
        ({"dim": 50}, "BDT: 8 heads do not divide dim 50 and spectral_dim 48"),
        ({"heads": 0}, "BDT: heads 0 is below 1"),
        ({"activation": "none"}, "BDT: activation 'none' is unknown; choose published or all"),
    ):
        with pytest.raises(ValueError, match=sentence):
            BDT(**settings)
    assert_refuses(BDT(5, 3, 2, 8, 8, 2), 5, 3, 2)


def test_the_cube_is_enlarged_from_its_sampling_phase() -> None:
    torch.manual_seed(0)
    assert_takes_the_phase(BDT(5, 3, 2, 8, 8, 2), 5, 3, 2)
