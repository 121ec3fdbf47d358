"""PromptIR against the published implementation's recorded outputs, at any size and in compact settings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules import PromptIR
from tests.network_checks import bfloat16_losses, gradients_of_both, reflected, together_and_alone
from tests.plain.promptir import COMPACT, PATCH, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input, tapped

TAPS = {
    "tap:encoder_level1": ("encoder1", (slice(1), slice(None, None, 8), slice(None, None, 4), slice(None, None, 4))),
    "tap:prompt3": ("decoder3.prompt", (slice(1), slice(None, None, 8))),
    "tap:decoder_level3": ("decoder3.blocks", (slice(1), slice(None, None, 8))),
}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[PromptIR]:
    """Recorded case, its outputs, and our network with the drawn weights."""
    family = shared / "golden" / "restoration"
    spec, outputs, network = published_case(golden, family, "promptir", lambda _spec: PromptIR(), prefix="net.")
    assert spec["config"] == {"inp_channels": 31, "out_channels": 31, "decoder": True}
    return spec, outputs, network


def test_output_and_inner_outputs_equal_the_published_network(case: Case[PromptIR], golden: ModuleType) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    layers = {name: network.get_submodule(path) for name, (path, _) in TAPS.items()}
    with tapped(layers) as seen, torch.no_grad():
        restored = network(x)
    assert golden.relative_error(restored, outputs["out"]) <= 1e-5
    assert set(outputs) == {"out", *TAPS}
    for name, (_, part) in TAPS.items():
        assert golden.relative_error(seen[name][-1][part], outputs[name]) <= 1e-5, name


def test_no_arguments_is_the_published_configuration_without_its_unused_layers(case: Case[PromptIR]) -> None:
    spec, _, network = case
    used = parameter_count(network)
    unused = sum(
        torch.Size(row["shape"]).numel()
        for row in spec["state"]
        if re.match(r"chnl_reduce\d\.|reduce_noise_channel_\d\.", row["name"])
    )
    assert (used, unused) == (35_413_255, 215_296)
    assert used + unused == spec["parameters"]


def test_name_table_maps_every_used_official_name_to_one_of_ours(case: Case[PromptIR]) -> None:
    spec, _, network = case
    ours = our_names(spec, PromptIR.official_names, PromptIR.official_derived)
    assert ours == sorted(network.state_dict())
    assert len(spec["state"]) - len(ours) == 6


def lively(network: PromptIR) -> PromptIR:
    """Give all weights a size at which every branch shows in the output."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in network.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 10
        single = name.endswith(("norm1.weight", "norm2.weight", "temperature"))
        parameter.data = 1 + 0.2 * drawn if single else drawn if name.endswith("maps") else drawn / fan_in**0.5
    return network.eval()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (2, 31, PATCH, PATCH)),
        ({"input_channels": 5, "norm_bias": False, "bias": True}, (1, 5, 8, 24)),
        ({"dim": 8, "num_blocks": (2, 1, 1, 2), "num_heads": (2, 4, 1, 8), "expansion": 1.5}, (3, 31, 16, 8)),
        ({"prompts": 1, "prompt_sizes": (5, 9, 3), "prompt_channels": (2, 4, 2)}, (1, 31, 32, 16)),
    ],
)
def test_other_settings_equal_the_published_order_of_operations(
    settings: dict[str, Any], shape: tuple[int, ...]
) -> None:
    network = lively(PromptIR(**COMPACT | settings))
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    assert (expected - x).norm() > 0.1 * x.norm()
    assert (restored - expected).norm() <= 1e-5 * expected.norm()


def test_prompts_reach_the_output_at_every_level() -> None:
    network = lively(PromptIR(**COMPACT))
    x = torch.rand(1, 31, PATCH, PATCH, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        restored = network(x)
        for level in (1, 2, 3):
            maps = network.get_parameter(f"decoder{level}.prompt.maps")
            kept = maps.clone()
            maps.zero_()
            assert (network(x) - restored).norm() > 1e-3 * restored.norm(), level
            maps.copy_(kept)


@pytest.mark.parametrize(("size", "padded"), [((17, 8), (24, 8)), ((9, 31), (16, 32)), ((1, 5), (8, 8))])
def test_other_sizes_are_reflected_to_multiples_of_eight_and_cropped(
    size: tuple[int, int], padded: tuple[int, int]
) -> None:
    network = lively(PromptIR(**COMPACT | {"input_channels": 3}))
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored = network(x)
        expected = plain_forward(network, reflected(x, *padded))[..., : size[0], : size[1]]
    assert restored.shape == x.shape
    assert (restored - expected).norm() <= 1e-5 * expected.norm()


def test_a_batch_is_restored_like_its_cubes() -> None:
    network = lively(PromptIR(**COMPACT))
    x = torch.rand(3, 31, 16, 24, generator=torch.Generator().manual_seed(2))
    together, alone = together_and_alone(network, x)
    assert (together - alone).norm() <= 1e-5 * alone.norm()


def test_every_parameter_receives_a_gradient_equal_to_the_published_order_of_operations() -> None:
    network = lively(PromptIR(**COMPACT))
    x = torch.rand(2, 31, PATCH, PATCH, generator=torch.Generator().manual_seed(4))
    for name, ours, plain in gradients_of_both(network, plain_forward, x):
        assert bool(ours.any()), name
        assert (ours - plain).norm() <= 1e-4 * plain.norm() + 1e-8, name


def test_fifty_steps_in_bfloat16_stay_finite_and_learn() -> None:
    torch.manual_seed(0)
    network = PromptIR(**COMPACT | {"input_channels": 4}).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    clean = torch.rand(1, 4, 8, 8) * 0.5
    losses = bfloat16_losses(lambda: (network(clean + 0.3).float() - clean).abs().mean(), optimizer)
    assert all(loss == loss for loss in losses)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_blocks": (1, 1, 1)}, r"num_blocks \[1, 1, 1\] has 3 values; give 4, one per level"),
        ({"num_heads": (1, 2)}, r"num_heads \[1, 2\] has 2 values; give 4"),
        ({"prompt_channels": (4, 6, 8, 9)}, r"prompt_channels \[4, 6, 8, 9\] has 4 values; give 3"),
        ({"prompt_sizes": ()}, r"prompt_sizes \[\] has 0 values; give 3"),
        ({"dim": 5}, "dim 5 is odd, but the first downsampling halves it; choose an even dim"),
        ({"num_heads": (3, 2, 2, 4)}, "3 heads do not divide 4 channels; choose a divisor of them"),
        ({"interaction_heads": 7}, "7 heads do not divide"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PromptIR(**COMPACT | settings)
