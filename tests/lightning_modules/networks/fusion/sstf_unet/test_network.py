"""SSTF-Unet against the published implementation's recorded outputs, at other ratios, sizes and bands."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks import SSTFUNet
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
from tests.plain.sstf_unet import plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_inputs, tap_error, tapped

TAPS = {
    "body.encoder_layers.0.0": "encoder.0.spectral",
    "body.encoder_layers.0.1": "encoder.0.spatial",
    "body.up": "up",
}
SMALL: dict[str, Any] = {"input_channels": 4, "ratio": 2}


@pytest.fixture(scope="module", params=["sstf_unet", "sstf_unet_x4"])
def case(request: pytest.FixtureRequest, shared: Path, golden: ModuleType) -> Case[SSTFUNet]:
    """Recorded case, its outputs, and our network of that ratio with the drawn weights."""
    folder = shared / "golden" / "fusion"
    return published_case(golden, folder, request.param, lambda spec: SSTFUNet(ratio=spec["config"]["scale"]))


def test_output_and_inner_outputs_equal_the_published_network(case: Case[SSTFUNet], golden: ModuleType) -> None:
    spec, outputs, network = case
    images = published_inputs(golden, spec)
    with tapped({tap: network.get_submodule(path) for tap, path in TAPS.items()}) as seen, torch.no_grad():
        fused = network(images["lr_hsi"], images["hr_msi"])
    expected = outputs["out"]
    assert golden.relative_error(fused[..., ::2, 1::2] if network.ratio == 4 else fused, expected) <= 1e-5
    assert {f"tap:{tap}" for tap in spec["taps"]} == set(outputs) - {"out"}
    for tap in spec["taps"]:
        assert tap_error(golden, spec, outputs, tap, seen[tap][0]) <= 1e-5, tap


def test_published_configuration_and_names(case: Case[SSTFUNet]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == parameter_count(SSTFUNet()) == 5_357_287
    assert SSTFUNet().ratio == 16
    assert our_names(spec, SSTFUNet.official_names, SSTFUNet.official_derived) == sorted(network.state_dict())


def lively(network: SSTFUNet) -> SSTFUNet:
    """Draw linear weights and position biases large enough that the attention shows in the answer."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 2:
            size = 1.0 if name.endswith("bias_table") else parameter.shape[1] ** -0.5
            parameter.data = size * torch.randn(parameter.shape, generator=generator)
        elif name.endswith("rescale"):
            parameter.data = 1 + torch.rand(parameter.shape, generator=generator)
    return network


@pytest.mark.parametrize(
    ("settings", "size", "batch"),
    [
        (SMALL, (4, 12), 2),
        (SMALL | {"ratio": 1, "multispectral_channels": 1, "input_channels": 2}, (64, 72), 1),
        (SMALL | {"ratio": 8, "window": 4, "align_corners": False}, (3, 2), 3),
        (SMALL | {"ratio": 16}, (1, 2), 1),
        (SMALL | {"levels": 1}, (3, 2), 1),
    ],
)
def test_ratios_sizes_and_batches_equal_the_plain_form(
    settings: dict[str, Any], size: tuple[int, int], batch: int
) -> None:
    network = lively(SSTFUNet(**settings))
    images = pair(network.input_channels, network.multispectral_channels, network.ratio, size, batch)
    assert_equal_to_plain(network, plain_forward, images)


def test_gradients_equal_those_of_the_plain_form() -> None:
    network = lively(SSTFUNet(**SMALL, drop_path=0.0))
    assert_gradients_equal_to_plain(network, plain_forward, pair(4, 3, 2, (12, 8), batch=2))


def test_any_size_is_continued_by_reflection_and_cropped() -> None:
    network, same_size = lively(SSTFUNet(4, 3, 3)).eval(), SSTFUNet(4, 3, 1).eval()
    same_size.load_state_dict(network.state_dict())
    cube, image = pair(4, 3, 3, (5, 9))
    enlarged = functional.interpolate(cube, scale_factor=3, mode="bicubic", align_corners=True)
    with torch.no_grad():
        fused = network(cube, image)
        whole = same_size(mirrored(enlarged, 16, 32), mirrored(image, 16, 32))
    assert fused.shape == (1, 4, 15, 27)
    assert relative(fused, whole[..., :15, :27]) <= 1e-5


def test_batch_mates_do_not_matter_and_branches_are_left_out_in_training_alone() -> None:
    network, images = lively(SSTFUNet(**SMALL, drop_path=0.9)), pair(4, 3, 2, (5, 7), batch=3)
    together, alone = together_and_alone_pairs(network, images)
    assert relative(together, alone) <= 1e-5
    network.train()
    assert not torch.equal(network(*images), network(*images))


def test_impossible_settings_and_images_give_a_sentence() -> None:
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"ratio": 0}, "SSTFUNet: ratio 0 is below 1"),
        ({"levels": 0}, "SSTFUNet: levels 0 is below 1"),
        ({"window": 0}, "SSTFUNet: window 0 is below 1"),
        ({"input_channels": 0}, "SSTFUNet: input_channels 0 is below 1"),
    )
    for settings, sentence in refused:
        with pytest.raises(ValueError, match=sentence):
            SSTFUNet(**settings)
    assert_refuses(SSTFUNet(**SMALL), 4, 3, 2)


def test_the_cube_is_enlarged_from_its_sampling_phase() -> None:
    torch.manual_seed(0)
    assert_takes_the_phase(lively(SSTFUNet(**SMALL, use_phase=True)), 4, 3, 2)
    assert not SSTFUNet(**SMALL).takes_phase
