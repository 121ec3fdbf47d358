"""T3SC against the published implementation's recorded outputs, whole and in blocks, at any size and setting."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lightning_modules import T3SC
from tests.network_checks import bfloat16_losses, gradients_of_both, reflected, together_and_alone
from tests.plain.t3sc import COMPACT, PATCH, plain_forward
from tests.published import Case, entry_shapes, our_names, parameter_count, published_case, published_input

PARAMETERS = {"t3sc": 832_256, "t3sc_beta": 908_929}


@pytest.fixture(scope="module", params=["t3sc", "t3sc_beta"])
def case(request: pytest.FixtureRequest, shared: Path, golden: ModuleType) -> Case[T3SC]:
    """Recorded case, its outputs, and our network built from the recorded configuration with the drawn weights."""
    return published_case(golden, shared / "golden" / "restoration", request.param, recorded_t3sc)


def recorded_t3sc(spec: dict[str, Any]) -> T3SC:
    """Our network in the recorded configuration."""
    layers = [layer["params"] for layer in spec["config"]["layers"].values()]
    return T3SC(
        input_channels=spec["config"]["channels"],
        code_sizes=[layer["code_size"] for layer in layers],
        patch_sides=[layer["patch_side"] for layer in layers],
        ranks=[layer["rank"] for layer in layers],
        iterations=[layer["K"] for layer in layers],
        threshold_init=layers[0]["lbda_init"],
        noise_adaptive=bool(layers[0]["beta"]),
        block_size=spec["config"]["blocks"]["block_size"],
        block_overlap=spec["config"]["blocks"]["overlap"],
    )


def test_whole_output_in_training_and_inference_and_code_equal_the_published_network(
    case: Case[T3SC], golden: ModuleType
) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    with torch.no_grad():
        restored = network.restore(x)
        code, _ = network.layers[0].encode(x)  # type: ignore[operator]
    assert golden.relative_error(restored, outputs["out"]) <= 1e-5
    assert golden.relative_error(code[:1, ::4, ::3, ::3], outputs["tap:layers.0.encode"]) <= 1e-5
    if x.shape[-1] <= 32:  # the form for training, with whole atoms, where it is quick
        trained = network.train()(x).detach()
        network.eval()
        assert golden.relative_error(trained, outputs["out"]) <= 1e-5


def test_inference_in_blocks_equals_the_published_one(case: Case[T3SC], golden: ModuleType) -> None:
    spec, outputs, network = case
    with torch.no_grad():
        restored = network(published_input(golden, spec))
    step = 6 if "blocks" in spec["slice"] else 1
    assert golden.relative_error(restored[:, ::step], outputs["blocks"]) <= 1e-5
    assert set(outputs) == {"out", "blocks", "tap:layers.0.encode"}


def test_no_arguments_is_the_published_configuration(case: Case[T3SC]) -> None:
    spec, _, network = case
    default = T3SC(noise_adaptive="layers.0.beta_estimator.0.weight" in {row["name"] for row in spec["state"]})
    assert (default.block_size, default.block_overlap, default.input_channels) == (256, 6, 31)
    assert parameter_count(default) == spec["parameters"]
    assert spec["parameters"] in PARAMETERS.values()
    assert entry_shapes(default) == entry_shapes(network)
    assert bool((default.get_parameter("layers.1.thresholds.4") == 0.001).all())


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case[T3SC]) -> None:
    spec, _, network = case
    assert our_names(spec, T3SC.official_names) == sorted(network.state_dict())


def vivid(network: T3SC) -> T3SC:
    """Give atoms and thresholds a size at which many codes live and many die; thresholds of both signs."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in network.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        fan_in = parameter[0].numel() if parameter.ndim > 1 and ".thresholds." not in name else 1
        parameter.data = 0.02 * drawn if ".thresholds." in name else 0.7 * drawn / fan_in**0.5
    return network.eval()


SETTINGS: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({}, (2, 31, PATCH, PATCH)),
    ({"input_channels": 4, "block_size": None}, (1, 4, 7, 19)),
    ({"noise_adaptive": True, "input_channels": 3}, (1, 3, 60, 60)),
    ({"code_sizes": (8, 12, 10), "patch_sides": (3, 2, 3), "ranks": (2, 1, 2), "iterations": (3, 1, 2)}, (1, 31, 9, 9)),
    ({"code_sizes": (20,), "patch_sides": (5,), "ranks": (4,), "iterations": (3,), "block_size": None}, (2, 31, 5, 12)),
]


@pytest.mark.parametrize(("settings", "shape"), SETTINGS)
@pytest.mark.parametrize("training", [False, True])
def test_other_settings_equal_the_published_order_of_operations(
    settings: dict[str, Any], shape: tuple[int, ...], training: bool
) -> None:
    network = vivid(T3SC(**COMPACT | settings)).train(training)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.set_grad_enabled(training):
        restored, expected = network(x).detach(), plain_forward(network, x).detach()
    coded = (expected - expected.mean(dim=(2, 3), keepdim=True)).norm()
    assert coded > 1e-3 * expected.norm()
    assert (restored - expected).norm() <= 1e-4 * coded


@pytest.mark.parametrize(
    ("size", "block_size", "overlap"), [((20, 33), 12, 3), ((16, 23), 16, 0), ((13, 22), 100, 6), ((30, 11), 12, 11)]
)
def test_blocks_equal_the_published_inference_at_other_sizes(
    size: tuple[int, int], block_size: int, overlap: int
) -> None:
    settings = {"input_channels": 3, "block_size": block_size, "block_overlap": overlap, "iterations": (2, 2)}
    network = vivid(T3SC(**COMPACT | settings))
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored, expected, whole = network(x), plain_forward(network, x), network.restore(x)
    assert restored.shape == x.shape
    assert (restored - expected).norm() <= 1e-5 * expected.norm()
    assert (restored - whole).norm() > 1e-4 * whole.norm()


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (5, 3), (40, 5)])
def test_tiny_and_long_cubes_are_continued_by_reflection(size: tuple[int, int]) -> None:
    network = vivid(T3SC(input_channels=3, **COMPACT | {"patch_sides": (2, 5), "block_size": None}))
    height, width = size
    x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        restored = network(x)
        expected = network(reflected(x, max(height, 6), max(width, 6)))[..., :height, :width]
    assert restored.shape == x.shape
    assert torch.allclose(restored, expected, atol=1e-6)
    with torch.no_grad():
        network.block_size = 256
        assert network(x).shape == x.shape


def test_a_batch_is_restored_like_its_cubes() -> None:
    network = vivid(T3SC(noise_adaptive=True, **COMPACT))
    x = torch.rand(3, 31, 12, 20, generator=torch.Generator().manual_seed(4)) * torch.tensor([1, 0.2, 3]).view(
        3, 1, 1, 1
    )
    together, alone = together_and_alone(network, x)
    assert (together - alone).norm() <= 1e-5 * alone.norm()


def test_every_parameter_receives_the_gradient_of_the_published_order_of_operations() -> None:
    network = vivid(T3SC(input_channels=4, noise_adaptive=True, **COMPACT)).train()
    x = torch.rand(2, 4, 56, 56, generator=torch.Generator().manual_seed(5))
    for name, ours, plain in gradients_of_both(network, plain_forward, x):
        assert bool(ours.any()), name
        assert (ours - plain).norm() <= 1e-3 * plain.norm() + 1e-8, name


def test_fifty_steps_in_bfloat16_stay_finite_and_learn() -> None:
    torch.manual_seed(0)
    network = T3SC(input_channels=4, **COMPACT).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    clean = torch.rand(2, 4, 8, 8)
    losses = bfloat16_losses(lambda: (network(clean).float() - clean).square().mean(), optimizer)
    assert all(loss == loss for loss in losses)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ranks": (1,)}, r"ranks \[1\] and iterations \[4, 3\] differ in length; give each one value per layer"),
        ({"iterations": (0, 3)}, r"iterations \[0, 3\] has a value below 1; give positive numbers"),
        ({"patch_sides": (1, 1)}, r"patch_sides \[1, 1\] has a layer after the first with patches of one pixel"),
        ({"block_size": 6, "block_overlap": 6}, "block_overlap 6 is not between 0 and block_size 6; choose a smaller"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        T3SC(**COMPACT | settings)
