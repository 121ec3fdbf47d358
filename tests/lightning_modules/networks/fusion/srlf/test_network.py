"""SRLF against the published implementation's recorded outputs, at other ratios, sizes and sensors."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules.networks import SRLF
from tests.pairs import (
    assert_equal_to_plain,
    assert_gradients_equal_to_plain,
    assert_refuses,
    assert_takes_the_phase,
    pair,
    relative,
    together_and_alone_pairs,
)
from tests.plain.srlf import plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_inputs, tap_error, tapped

TAPS = {"icp1.mamba_64": "stages.0.fine", "icp1.ssim_refine": "stages.0.spatial", "icp1": "stages.0"}
SMALL: dict[str, Any] = {"input_channels": 6, "ratio": 2, "stages": 1, "dropout": 0.0}
RESPONSE = [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[SRLF]:
    """Recorded case, its outputs, and our network without arguments with the drawn weights."""
    return published_case(golden, shared / "golden" / "fusion", "srlf", lambda _spec: SRLF())


def test_output_and_inner_outputs_equal_the_published_network(case: Case[SRLF], golden: ModuleType) -> None:
    spec, outputs, network = case
    images = published_inputs(golden, spec)
    with tapped({tap: network.get_submodule(path) for tap, path in TAPS.items()}) as seen, torch.no_grad():
        fused = network(images["lr_hsi"], images["hr_msi"])
    assert golden.relative_error(fused, outputs["out"]) <= 1e-5
    assert set(outputs) == {"out", *(f"tap:{tap}" for tap in TAPS)}
    recorded = spec["taps"]["icp1.ssim_refine"]["shape"]
    assert list(seen["icp1.ssim_refine"][0].shape) == recorded
    for tap in ("icp1.mamba_64", "icp1"):
        assert tap_error(golden, spec, outputs, tap, seen[tap][0]) <= 1e-5, tap


def test_no_arguments_is_the_published_configuration_without_its_unused_layers(case: Case[SRLF]) -> None:
    spec, _, network = case
    unused = sum(
        torch.Size(row["shape"]).numel()
        for row in spec["state"]
        if any(re.search(pattern, row["name"]) for pattern in SRLF.official_derived)
    )
    assert (parameter_count(network), unused) == (1_117_086, 207_584)
    assert parameter_count(network) + unused == spec["parameters"]
    assert our_names(spec, SRLF.official_names, SRLF.official_derived) == sorted(network.state_dict())


@pytest.mark.parametrize(
    ("settings", "size", "batch"),
    [
        ({"stages": 1}, (4, 3), 2),
        (SMALL | {"response": RESPONSE}, (5, 8), 3),
        (SMALL | {"response": RESPONSE, "ratio": 3}, (4, 5), 1),
        (SMALL | {"response": RESPONSE, "ratio": 16}, (2, 1), 1),
        (SMALL | {"response": [[1, 2, 3, 2, 1, 1]], "multispectral_channels": 1, "ratio": 6}, (3, 2), 2),
    ],
)
def test_ratios_sizes_and_batches_equal_the_plain_form(
    settings: dict[str, Any], size: tuple[int, int], batch: int
) -> None:
    torch.manual_seed(0)
    network = SRLF(**settings)
    images = pair(network.input_channels, network.multispectral_channels, network.ratio, size, batch)
    assert_equal_to_plain(network, plain_forward, images, 2e-5)


def test_gradients_equal_those_of_the_plain_form() -> None:
    torch.manual_seed(0)
    network = SRLF(**SMALL, response=RESPONSE)
    assert_gradients_equal_to_plain(network, plain_forward, pair(6, 3, 2, (5, 4), batch=2))


def test_images_that_choose_for_themselves_do_not_depend_on_their_batch() -> None:
    images = pair(6, 3, 2, (8, 8), batch=2)
    torch.manual_seed(0)
    network = SRLF(**SMALL, response=RESPONSE, selection="image").eval()
    together, alone = together_and_alone_pairs(network, images)
    assert relative(together, alone) <= 1e-5


def test_the_sensor_decides_which_pixels_are_learned_again() -> None:
    torch.manual_seed(0)
    network = SRLF(**SMALL, response=RESPONSE).eval()
    images = pair(6, 3, 2, (8, 8))
    with torch.no_grad():
        published = network(*images)
        network.observe_by(torch.tensor([[0.0, 0, 0, 0, 0, 1]] * 3), [0.5, 0.5], 0)
        other = network(*images)
    assert float((published - other).abs().max()) > 1e-4
    assert not [name for name in network.state_dict() if "sensor" in name]


def test_impossible_settings_and_images_give_a_sentence() -> None:
    for settings, sentence in (
        ({"input_channels": 3}, "SRLF: 3 bands at ratio 8 are too few; it needs at least 4 bands"),
        ({"ratio": 1}, "and a ratio of at least 2"),
        ({"stages": 0}, "SRLF: stages 0 is below 1"),
        ({"selection": "pixel"}, "SRLF: selection 'pixel' is unknown; choose batch or image"),
        ({"response": [[1, 1]]}, r"SRLF: the spectral response has shape \(1, 2\) .* 3 channels and 31 bands"),
        ({"response": [[0] * 31] * 3}, "or a channel that sees no band"),
    ):
        with pytest.raises(ValueError, match=sentence):
            SRLF(**settings)
    assert_refuses(SRLF(**SMALL, response=RESPONSE), 6, 3, 2)
    with pytest.raises(ValueError, match="SRLF: the spectral response of 3 channels to 6 bands is not known"):
        SRLF(**SMALL)(*pair(6, 3, 2, (4, 4)))


def test_the_cube_is_enlarged_from_its_sampling_phase() -> None:
    torch.manual_seed(0)
    assert_takes_the_phase(SRLF(**SMALL, response=RESPONSE, use_phase=True), 6, 3, 2)
    assert not SRLF(**SMALL, response=RESPONSE).takes_phase
