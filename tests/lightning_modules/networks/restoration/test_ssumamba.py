"""SSUMamba against the published implementation's recorded outputs, at other sizes, bands and settings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules import load_official_state
from lightning_modules.networks.layers.mamba import ScanDirection
from lightning_modules.networks.layers.selective_scan.compiled.library import compiler
from lightning_modules.networks.restoration.ssumamba import SSUMamba
from tests.network_checks import bfloat16_losses, gradients_of_both, restored_and_cropped, together_and_alone
from tests.plain.ssumamba import COMPACT, PATCH, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input, tapped

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")
TAPS = {
    "net.encoder.stem": "stem",
    "net.encoder.mamba_layers.0": "mixers.0",
    "net.encoder.mamba_layers.1": "mixers.1",
}
TWO_STAGES: dict[str, Any] = {
    "features": (6, 5),
    "strides": (1, 3),
    "band_kernels": (3, 1),
    "encoder_blocks": (1, 2),
    "decoder_blocks": (1,),
    "token_orders": ("whb", "bwh"),
    "state_dim": 3,
    "conv_width": 3,
    "expand": 1,
}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[SSUMamba]:
    """Recorded case, its outputs, and the network without arguments with the drawn weights."""
    return published_case(golden, shared / "golden" / "restoration", "ssumamba", lambda _spec: SSUMamba())


@pytest.mark.parametrize("backend", ["chunked", pytest.param("compiled", marks=needs_compiler)])
def test_output_and_inner_outputs_equal_the_published_network(
    case: Case[SSUMamba], golden: ModuleType, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, outputs, network = case
    for module in network.modules():
        if isinstance(module, ScanDirection):
            monkeypatch.setattr(module, "backend", backend)
    x = published_input(golden, spec)
    layers = {name: network.get_submodule(path) for name, path in TAPS.items()}
    with tapped(layers) as taps, torch.no_grad():
        restored = network(x)
    assert golden.relative_error(restored, outputs["out"]) <= 1e-5
    for name in TAPS:
        tap = taps[name][-1][:1, ::4, ::5, ::2, ::2]
        assert golden.relative_error(tap, outputs[f"tap:{name}"]) <= 1e-5, name


def test_no_arguments_is_the_published_configuration(case: Case[SSUMamba]) -> None:
    spec, _, network = case
    assert parameter_count(network) == spec["parameters"] == 10_372_225
    assert network.multiple == 8
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert trained == 10_372_225 - 12_416


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case[SSUMamba]) -> None:
    spec, _, network = case
    table = [(r"^net\.", ""), *SSUMamba.official_names]
    assert our_names(spec, table) == sorted(network.state_dict())


def test_a_checkpoint_with_every_duplicate_name_loads_strictly(case: Case[SSUMamba], golden: ModuleType) -> None:
    spec, _, network = case
    state = golden.official_state(spec)
    repeated = {re.sub(r"(\.conv\d)\.conv\.", r"\1.all_modules.0.", name): value for name, value in state.items()}
    repeated = {re.sub(r"(\.conv\d)\.norm\.", r"\1.all_modules.1.", name): value for name, value in repeated.items()}
    full = repeated | state
    full |= {
        name.replace("net.encoder.", "net.decoder.encoder."): value
        for name, value in full.items()
        if name.startswith("net.encoder.")
    }
    assert len(full) - len(state) == spec["aliases"]["count"] == 298
    loaded = SSUMamba()
    load_official_state(loaded, full)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


def enlivened(network: SSUMamba) -> SSUMamba:
    """Give every weight and bias a size at which it shows in the output; decays stay moderate."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("A_log"):
            parameter.data = 0.3 * noise
        elif parameter.ndim > 1:
            parameter.data = noise / parameter[0].numel() ** 0.5
        else:
            parameter.data = (1.0 if name.endswith(("norm.weight", ".D")) else 0.2) + 0.3 * noise
    return network.eval()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (COMPACT, (2, 5, 8, 12)),
        (COMPACT | {"continuous": False}, (1, 4, 12, 8)),
        (COMPACT | {"token_orders": ("hwb", "whb", "bwh")}, (1, 6, 8, 8)),
        (TWO_STAGES, (3, 3, 6, 9)),
    ],
)
def test_other_settings_equal_the_published_order_of_operations(
    settings: dict[str, Any], shape: tuple[int, ...]
) -> None:
    network = enlivened(SSUMamba(**settings)).double()
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    assert (restored - expected).norm() <= 1e-9 * expected.norm()


@pytest.mark.parametrize("change", [{"continuous": False}, {"token_orders": ("bhw", "wbh", "bwh")}])
def test_the_order_of_the_voxels_matters(change: dict[str, Any]) -> None:
    x = torch.rand(1, 5, 8, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        restored, other = (enlivened(SSUMamba(**settings))(x) for settings in (COMPACT, COMPACT | change))
    assert (restored - other).norm() > 0.01 * restored.norm()


@pytest.mark.parametrize("size", [(9, 8), (6, 13), (1, 5), (3, 3)])
def test_other_sizes_are_reflected_to_whole_blocks_and_cropped(size: tuple[int, int]) -> None:
    network = enlivened(SSUMamba(**COMPACT))
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    restored, expected = restored_and_cropped(network, x, multiple=4)
    assert restored.shape == x.shape
    assert torch.equal(restored, expected)


@pytest.mark.parametrize("bands", [1, 2, 34])
def test_one_network_restores_any_number_of_bands(bands: int) -> None:
    network = enlivened(SSUMamba(**COMPACT)).double()
    x = torch.rand(1, bands, 8, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    with torch.no_grad():
        restored, expected = network(x), plain_forward(network, x)
    assert not hasattr(network, "input_channels")
    assert (restored - expected).norm() <= 1e-9 * expected.norm()


def test_a_batch_is_restored_like_its_cubes() -> None:
    network = enlivened(SSUMamba(**COMPACT)).double()
    x = torch.rand(3, 4, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    together, alone = together_and_alone(network, x)
    assert (together - alone).norm() <= 1e-10 * alone.norm()


def test_gradients_equal_the_published_ones_and_reach_every_trained_parameter() -> None:
    network = enlivened(SSUMamba(**COMPACT)).double().train()
    frozen = {name for name, p in network.named_parameters() if not p.requires_grad}
    assert frozen == {"heads.0.weight", "heads.0.bias"}
    x = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    both = gradients_of_both(network, plain_forward, x, without=frozen)
    largest = max(float(theirs.abs().max()) for _, _, theirs in both)
    for name, ours, theirs in both:
        assert torch.allclose(ours, theirs, rtol=1e-7, atol=1e-11 * largest), name
        # The biases of convolutions before an instance normalisation cancel.
        assert (float(ours.abs().max()) > 1e-9 * largest) != bool(re.search(r"\.conv\d\.bias$", name)), name


def test_half_precision_autocast_trains_without_nan() -> None:
    torch.manual_seed(0)
    network = SSUMamba(**COMPACT)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    clean = torch.rand(1, 2, 4, 8)
    losses = bfloat16_losses(
        lambda: nn.functional.mse_loss(network(clean + 0.1 * torch.randn_like(clean)).float(), clean), optimiser
    )
    assert losses[-1] < losses[0]
    assert all(bool(parameter.isfinite().all()) for parameter in network.parameters())


def test_the_mamba_layers_stay_in_float32_under_autocast() -> None:
    mixer = SSUMamba(**COMPACT).mixers[0]
    x = torch.rand(1, 4, 3, 4, 4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = mixer(x)
    assert answer.dtype == torch.float32
    assert torch.equal(answer, mixer(x.float()))


def test_it_trains_after_it_predicted_cubes_of_the_same_size() -> None:
    network = SSUMamba(**COMPACT)
    x = torch.rand(1, 2, 4, 20)
    with torch.inference_mode():
        network.eval()(x)
    network.train()(x).mean().backward()
    gradient = network.conv_first.weight.grad
    assert gradient is not None
    assert bool(gradient.any())


def test_the_compact_network_is_small_and_the_patch_fits_the_published_strides() -> None:
    assert parameter_count(SSUMamba(**COMPACT)) < 100_000
    assert PATCH % 8 == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"strides": (1, 2)}, "give each one value per stage"),
        ({"decoder_blocks": (1, 1)}, "decoder_blocks one fewer"),
        ({"strides": (2, 2, 1, 2, 1, 2)}, "must begin with 1"),
        ({"encoder_blocks": (2, 2, 2, 1, 1, 0)}, "be at least 1"),
        ({"band_kernels": (2, 3, 3, 3, 3, 3)}, "must be odd"),
        ({"token_orders": ("bhw", "wbh", "bwh", "hwb", "whb", "hhw")}, "order 'hhw' does not name each"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SSUMamba(**settings)


def test_a_cube_that_shrinks_to_one_voxel_gives_a_sentence() -> None:
    network = SSUMamba(**COMPACT)
    with pytest.raises(ValueError, match="one band of 3 x 4 pixels leaves a single voxel"):
        network(torch.rand(2, 1, 3, 4))
