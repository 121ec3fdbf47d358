"""FusionMamba against the published implementation's recorded outputs, at other ratios, sizes and bands."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks import FusionMamba
from tests.pairs import (
    assert_equal_to_plain,
    assert_gradients_equal_to_plain,
    assert_refuses,
    mirrored,
    pair,
    relative,
    together_and_alone_pairs,
)
from tests.plain.fusionmamba import COMPACT, plain_forward, plain_from_enlarged
from tests.published import Case, our_names, parameter_count, published_case, published_inputs, tap_error, tapped

TAPS = {
    "stage0.fm.spa_mamba_layers.0": "blocks.0.spatial",
    "stage0.fm.spa_cross_mamba": "blocks.0.spatial_cross",
    "spe_attn": "band_attention",
}
SMALL: dict[str, Any] = COMPACT | {"input_channels": 5, "ratio": 2}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[FusionMamba]:
    """Recorded case, its outputs, and our network without arguments with the drawn weights."""
    return published_case(golden, shared / "golden" / "fusion", "fusionmamba", lambda _spec: FusionMamba())


def test_output_and_inner_outputs_equal_the_published_network(case: Case[FusionMamba], golden: ModuleType) -> None:
    spec, outputs, network = case
    images = published_inputs(golden, spec)
    with tapped({tap: network.get_submodule(path) for tap, path in TAPS.items()}) as seen, torch.no_grad():
        fused = network(images["lr_hsi"], images["hr_msi"])
    assert golden.relative_error(fused, outputs["out"]) <= 1e-5
    assert set(outputs) == {"out", *(f"tap:{tap}" for tap in TAPS)}
    for tap, found in seen.items():
        ours = found[0] if tap == "spe_attn" else found[0].flatten(2).mT
        assert tap_error(golden, spec, outputs, tap, ours) <= 1e-5, tap


def test_published_configurations_and_names(case: Case[FusionMamba]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == 878_416
    assert parameter_count(FusionMamba(dim=48)) == 1_662_560
    assert parameter_count(FusionMamba(input_channels=8, multispectral_channels=1)) == 735_401
    assert our_names(spec, FusionMamba.official_names) == sorted(network.state_dict())


@pytest.mark.parametrize(
    ("settings", "size", "batch"),
    [
        (SMALL, (4, 6), 2),
        (SMALL | {"ratio": 1, "multispectral_channels": 1, "input_channels": 1}, (12, 4), 1),
        (SMALL | {"ratio": 8, "dim": 20}, (1, 2), 3),
        (SMALL | {"ratio": 3, "input_channels": 2}, (4, 4), 1),
    ],
)
def test_ratios_sizes_and_batches_equal_the_plain_form(
    settings: dict[str, Any], size: tuple[int, int], batch: int
) -> None:
    torch.manual_seed(0)
    network = FusionMamba(**settings)
    images = pair(network.input_channels, network.multispectral_channels, network.ratio, size, batch)
    assert_equal_to_plain(network, plain_forward, images)


def test_gradients_equal_those_of_the_plain_form() -> None:
    torch.manual_seed(0)
    network = FusionMamba(**SMALL)
    assert_gradients_equal_to_plain(network, plain_forward, pair(5, 3, 2, (6, 4), batch=2))


def test_any_size_is_continued_by_reflection_and_cropped() -> None:
    torch.manual_seed(0)
    network = FusionMamba(**SMALL | {"ratio": 3}).eval()
    cube, image = pair(5, 3, 3, (3, 5))
    with torch.no_grad():
        fused = network(cube, image)
        enlarged = mirrored(functional.pixel_shuffle(network.enlarge(cube), 3), 12, 16)
        image = mirrored(image, 12, 16)
        whole = plain_from_enlarged(network, cube, enlarged, image, "reference")
    assert fused.shape == (1, 5, 9, 15)
    assert relative(fused, whole[..., :9, :15]) <= 1e-5


def test_batch_mates_do_not_matter() -> None:
    torch.manual_seed(0)
    together, alone = together_and_alone_pairs(FusionMamba(**SMALL), pair(5, 3, 2, (5, 7), batch=3))
    assert relative(together, alone) <= 1e-5


def test_impossible_settings_and_images_give_a_sentence() -> None:
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"ratio": 0}, "FusionMamba: ratio 0 is below 1"),
        ({"dim": 0}, "FusionMamba: dim 0 is below 1"),
        ({"multispectral_channels": 0}, "FusionMamba: multispectral_channels 0 is below 1"),
    )
    for settings, sentence in refused:
        with pytest.raises(ValueError, match=sentence):
            FusionMamba(**settings)
    assert_refuses(FusionMamba(**SMALL), 5, 3, 2)
