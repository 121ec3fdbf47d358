"""GRNNet against the published implementation's recorded outputs, at other sizes and in compact settings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules.networks.restoration.grn import GRNNet
from tests.network_checks import (
    bfloat16_losses,
    draw_weights,
    gradients_of_both,
    restored_and_cropped,
    together_and_alone,
)
from tests.plain.grn import COMPACT, PATCH, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input, tapped

REASON_GAIN = 1.5
TAPS = {
    "GCM1": ("encoder.0.reason", (slice(1), slice(None, None, 8), slice(None, None, 4), slice(None, None, 4))),
    "GSM2": ("decoder.3.reason", (slice(1), slice(None, None, 8), slice(None, None, 4), slice(None, None, 4))),
    "GSM5": ("decoder.0.reason", (slice(1), slice(None, None, 16))),
}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[GRNNet]:
    """Recorded case, its outputs, and the network without arguments with the drawn weights."""
    return published_case(golden, shared / "golden" / "restoration", "grn", lambda _spec: GRNNet())


def test_output_and_inner_outputs_equal_the_published_network(case: Case[GRNNet], golden: ModuleType) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    layers = {name: network.get_submodule(path) for name, (path, _) in TAPS.items()}
    with tapped(layers) as taps, torch.no_grad():
        restored = network(x)
    assert golden.relative_error(restored, outputs["out"]) <= 1e-5
    for name, (_, part) in TAPS.items():
        assert golden.relative_error(taps[name][-1][part], outputs[f"tap:{name}"]) <= 1e-5, name


def test_no_arguments_is_the_published_configuration(case: Case[GRNNet]) -> None:
    spec, _, network = case
    assert spec["config"] == {"in_ch": network.input_channels, "out_ch": network.input_channels}
    assert parameter_count(network) == spec["parameters"] == 44_393_919


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case[GRNNet]) -> None:
    spec, _, network = case
    assert our_names(spec, GRNNet.official_names) == sorted(network.state_dict())


def enlivened(network: GRNNet) -> GRNNet:
    """Give all weights a size at which the reasoning shows in the output, whose maps are tiny after their softmax."""
    generator = torch.Generator().manual_seed(3)
    draw_weights(network, generator, lambda name: REASON_GAIN if ".reason." in name else 0.7)
    return network.eval()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 31, 20, 12)),
        ({"dim": 4, "num_levels": 3, "input_channels": 5}, (1, 5, 8, 16)),
        ({"dim": 16, "num_levels": 1, "input_channels": 4}, (3, 4, 6, 2)),
        ({"dim": 4, "num_levels": 4, "input_channels": 34}, (1, 34, 48, 32)),
    ],
)
def test_other_settings_equal_the_published_order_of_operations(
    settings: dict[str, Any], shape: tuple[int, ...]
) -> None:
    network = enlivened(GRNNet(**settings)).double()
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    assert torch.allclose(restored, expected, rtol=1e-9, atol=1e-9)
    blind = enlivened(GRNNet(**settings)).double()
    for name, parameter in blind.named_parameters():
        if re.search(r"reason\.(assign|key)\.", name):
            parameter.data.zero_()
    with torch.no_grad():
        assert (blind(x) - restored).norm() > 0.05 * restored.norm()


@pytest.mark.parametrize("size", [(19, 8), (30, 33), (1, 5), (3, 3)])
def test_other_sizes_are_reflected_to_whole_blocks_and_cropped(size: tuple[int, int]) -> None:
    network = enlivened(GRNNet(input_channels=3, **COMPACT))
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    restored, expected = restored_and_cropped(network, x, multiple=4)
    assert restored.shape == x.shape
    assert torch.equal(restored, expected)


def test_a_batch_is_restored_like_its_cubes() -> None:
    network = enlivened(GRNNet(**COMPACT))
    x = torch.rand(3, 31, 12, 20, generator=torch.Generator().manual_seed(2))
    together, alone = together_and_alone(network, x)
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))


def test_gradients_equal_the_published_ones_and_reach_every_parameter() -> None:
    network = enlivened(GRNNet(input_channels=4, **COMPACT)).double().train()
    x = torch.rand(2, 4, 16, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for name, ours, theirs in gradients_of_both(network, plain_forward, x):
        assert bool(ours.any()), name
        assert torch.allclose(ours, theirs, rtol=1e-7, atol=1e-12), name


def test_half_precision_autocast_trains_without_nan() -> None:
    torch.manual_seed(0)
    network = GRNNet(input_channels=4, **COMPACT)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    clean = torch.rand(2, 4, 16, 16)
    losses = bfloat16_losses(
        lambda: nn.functional.mse_loss(network(clean + 0.2 * torch.randn_like(clean)).float(), clean), optimiser
    )
    assert losses[-1] < losses[0]
    assert all(bool(parameter.isfinite().all()) for parameter in network.parameters())


def test_the_compact_network_is_small_and_the_patch_fits_the_published_stages() -> None:
    assert parameter_count(GRNNet(**COMPACT)) < 100_000
    assert PATCH % GRNNet(dim=4).multiple == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"dim": 6}, "dim 6 must be a positive multiple of 4"),
        ({"num_levels": 0}, "num_levels 0 at least 1"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GRNNet(**settings)
