"""MP-HSIR against the published implementation's recorded outputs, its prompts and its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import CheckpointError, RestorationModule, load_official_state, load_weights
from lightning_modules.networks import MPHSIR, UpsampledInput
from lightning_modules.networks.layers.drop_path import DropPath
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.text_embedding import TextSource
from tests.network_checks import parameters_without_gradient
from tests.plain.mp_hsir import COMPACT, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_input, tapped

NEVER_USED = {
    f"{prompt}.{layer}.{kind}"
    for prompt in ("prompt1", "prompt2")
    for layer in ("text_linear", "clip_linear")
    for kind in ("weight", "bias")
}


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[MPHSIR]:
    """Recorded case, its outputs, and our network with the drawn weights and the drawn text embedding."""

    def build(spec: dict[str, Any]) -> MPHSIR:
        return MPHSIR(text_embedding=13 * golden.draw_parameter("text_embedding", (6, 512), spec["seed"]))

    spec, outputs, network = published_case(golden, shared / "golden" / "restoration", "mp_hsir", build)
    assert spec["parameters"] == 14_527_484
    assert spec["config"] == {"in_channel": 31, "out_channel": 31, "dim": 64, "task_classes": 6}
    return spec, outputs, network


def spread(network: MPHSIR) -> MPHSIR:
    """Draw weights large enough that every part of the network matters in its output."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            fan_in = max(1, parameter[0].numel())
            direct = name.endswith(("prompts", "visual_prompt", "task_vectors", "bias_table"))
            scale = 1.0 if direct or fan_in == 1 else fan_in**-0.5
            parameter.copy_(noise * scale if parameter.dim() > 1 else 1 + 0.1 * noise)
    return network.eval()


def compact(**settings: Any) -> MPHSIR:  # noqa: ANN401 - constructor arguments
    """A compact network with weights that matter."""
    return spread(MPHSIR(**COMPACT | settings))


def cube(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def error(result: Tensor, expected: Tensor) -> float:
    return float((result - expected).norm() / expected.norm())


def test_output_and_inner_outputs_equal_the_published_network(case: Case[MPHSIR], golden: ModuleType) -> None:
    spec, outputs, network = case
    x = published_input(golden, spec)
    layers = {path: network.get_submodule(path) for path in ("encoder_level1.blocks.1", "latent", "prompt1")}
    with tapped(layers) as taps, torch.no_grad():
        restored = network(x, torch.tensor(spec["input"]["task_id"]))
    assert golden.relative_error(restored, outputs["out"]) <= 1e-5
    for path, seen in taps.items():
        tap = seen[-1].permute(0, 3, 1, 2) if path == "encoder_level1.blocks.1" else seen[-1]
        assert golden.relative_error(tap[:, ::8, ::4, ::4], outputs[f"tap:{path}"]) <= 1e-5


def test_no_arguments_is_the_published_configuration() -> None:
    with torch.device("meta"):
        default = MPHSIR()
        remote = MPHSIR(100, dim=96, tasks=[*default.tasks[:5], "haze", "band_missing"])
    assert parameter_count(default) == 14_527_484
    assert parameter_count(remote) == 31_868_368
    frozen = {name: parameter for name, parameter in default.named_parameters() if not parameter.requires_grad}
    assert set(frozen) == NEVER_USED
    assert sum(parameter.numel() for parameter in frozen.values()) == 196_992


def test_name_table_maps_every_official_name_to_one_of_ours(case: Case[MPHSIR]) -> None:
    spec, _, network = case
    ours = our_names(spec, MPHSIR.official_names, MPHSIR.official_derived)
    assert sorted([*ours, *MPHSIR.official_absent]) == sorted(network.state_dict())


def test_official_checkpoints_need_no_embedding_and_keep_the_given_one(
    case: Case[MPHSIR], golden: ModuleType, tmp_path: Path
) -> None:
    spec, _, network = case
    official = {f"net.{name}": value for name, value in golden.official_state(spec).items()}
    official["net.encoder_level1.blocks.1.attn_mask"] = torch.zeros(64, 64, 64)
    torch.save({"state_dict": official, "epoch": 99}, tmp_path / "Natural_scene.ckpt")
    without = MPHSIR()
    load_weights(without, tmp_path / "Natural_scene.ckpt")
    assert bool(without.text.embedding.isnan().all())
    assert torch.equal(without.embed.weight, network.embed.weight)
    given = MPHSIR(text_embedding=network.text.embedding)
    load_weights(given, tmp_path / "Natural_scene.ckpt")
    assert torch.equal(given.text.embedding, network.text.embedding)
    incomplete = {name.removeprefix("net."): value for name, value in official.items() if "output" not in name}
    with pytest.raises(CheckpointError, match=r"1 of its \d+ entries are missing \(first: output.weight\)"):
        load_official_state(given, incomplete)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((1, 31, 16, 16), {}),
        ((2, 31, 32, 48), {"num_heads": (1, 2, 4), "drop_path": 0.0}),
        ((3, 5, 16, 32), {"input_channels": 5, "depths": (1, 2, 3), "refinement_depth": 4, "task": "blur"}),
        ((1, 31, 32, 64), {"window_size": 8, "dim": 6, "mlp_ratio": 2.0, "compression": (2, 3, 8), "task": 1}),
    ],
)
def test_equals_the_published_order_of_operations(shape: Sequence[int], settings: dict[str, Any]) -> None:
    network = compact(**settings)
    x = cube(*shape)
    with torch.no_grad():
        assert error(network(x), plain_forward(network, x)) <= 1e-5


@pytest.mark.parametrize("size", [(20, 28), (16, 17), (5, 3)])
def test_other_sizes_are_padded_by_reflection_and_cropped(size: tuple[int, int]) -> None:
    network = compact()
    x = cube(1, 31, *size)
    with torch.no_grad():
        expected = network(pad_to_multiple(x, 16))[..., : size[0], : size[1]]
        assert network(x).shape == x.shape
        assert torch.equal(network(x), expected)


def test_published_mode_mixes_the_tasks_of_a_batch() -> None:
    network = compact()
    x, task_id = cube(4, 31, 16, 16), torch.tensor([0, 1, 1, 0])
    with torch.no_grad():
        mixed = network(x, task_id)
        assert error(mixed, plain_forward(network, x, task_id)) <= 1e-5
        alone = torch.cat([network(one[None], task[None]) for one, task in zip(x, task_id, strict=True)])
    assert error(mixed, alone) > 1e-4


@pytest.mark.parametrize("mode", ["separate", "projected"])
def test_corrected_modes_restore_every_cube_by_its_own_task(mode: str) -> None:
    network = compact(text_mode=mode)
    x, task_id = cube(4, 31, 16, 16), torch.tensor([0, 1, 1, 0])
    with torch.no_grad():
        mixed = network(x, task_id)
        alone = torch.cat([network(one[None], task[None]) for one, task in zip(x, task_id, strict=True)])
        assert error(mixed, alone) <= 1e-5
        assert error(network(x, 1 - task_id), mixed) > 1e-4
        published = compact()(x[:1], task_id[:1])
    assert (error(mixed[:1], published) <= 1e-5) == (mode == "separate")


def test_several_tasks_of_one_cube_are_averaged() -> None:
    network = compact()
    x, pair = cube(2, 31, 16, 16), torch.tensor([[0, 1], [1, 0]])
    with torch.no_grad():
        both = network(x, pair)
        assert error(both, plain_forward(network, x, pair)) <= 1e-5
        assert error(network(x, torch.tensor([[0, 0], [0, 0]])), network(x)) <= 1e-6
    weights = network._task_weights(x, torch.tensor([[0, 0, 1, 0], [1, 1, 1, 1]]))
    assert weights.tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_training_module_restores_the_task_of_the_constructor() -> None:
    x = cube(2, 31, 16, 16)
    with torch.no_grad():
        noise, blur = (RestorationModule(compact(task=task)).eval()(x) for task in ("gaussian_noise", "blur"))
        assert torch.equal(blur, compact(task=1)(x))
        assert error(blur, compact()(x, torch.tensor([1, 1]))) <= 1e-5
        assert error(noise, blur) > 1e-4
        enlarged = UpsampledInput(compact(task="blur"), 4)(cube(1, 31, 5, 4))
    assert enlarged.shape == (1, 31, 20, 16)


@pytest.mark.parametrize(("mode", "unused"), [("published", ("text", "clip")), ("projected", ("clip",))])
def test_every_parameter_but_the_named_ones_receives_a_gradient(mode: str, unused: Sequence[str]) -> None:
    network = compact(text_mode=mode, drop_path=0.0).train()
    without = parameters_without_gradient(network, cube(2, 31, 16, 32))
    assert without == {name for name in NEVER_USED if name.split(".")[1].removesuffix("_linear") in unused}
    assert without == {name for name, value in network.named_parameters() if not value.requires_grad}


class CountedEmbedding(TextSource):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def encode(self, tasks: Sequence[str]) -> Tensor:
        self.asked.append(tuple(tasks))
        return torch.tensor(COMPACT["text_embedding"], dtype=torch.float32)


def test_embedding_is_made_when_first_needed_and_travels_with_the_weights(tmp_path: Path) -> None:
    source, x = CountedEmbedding(), cube(1, 31, 16, 16)
    network = compact(text_embedding=source)
    assert source.asked == []
    with torch.inference_mode():
        restored = network(x)
        assert torch.equal(network(x), restored)
    assert source.asked == [("gaussian_noise", "blur")]
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other = CountedEmbedding()
    for embedding in (None, other):
        loaded = MPHSIR(**COMPACT | {"text_embedding": embedding}).eval()
        load_weights(loaded, tmp_path / "weights.pt")
        with torch.no_grad():
            assert torch.equal(loaded(x), restored)
    assert other.asked == []


def test_weights_saved_before_the_embedding_was_known_leave_the_given_one() -> None:
    unknown, given = compact(text_embedding=None), compact()
    given.load_state_dict(unknown.state_dict())
    assert given.text.embedding.tolist() == COMPACT["text_embedding"]
    with torch.no_grad():
        assert torch.equal(given(cube(1, 31, 16, 16)), compact()(cube(1, 31, 16, 16)))


def test_drop_path_rises_with_depth_as_published() -> None:
    with torch.device("meta"):
        network = MPHSIR()
    rates = {
        name: [module.probability for module in part.modules() if isinstance(module, DropPath)]
        for name, part in network.named_children()
    }
    steps = [0.1 * index / 11 for index in range(12)]
    for name, expected in (
        ("encoder_level1", steps[:2]),
        ("encoder_level2", steps[2:6]),
        ("latent", steps[6:]),
        ("decoder_level2", steps[2:6]),
        ("decoder_level1", steps[:2]),
        ("refinement", steps[2:6]),
    ):
        assert rates[name] == pytest.approx(expected), name


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"depths": (2, 4)}, r"depths \[2, 4\] must be 3 positive numbers"),
        ({"prompt_sizes": (64, 32, 16)}, r"prompt_sizes \[64, 32, 16\] must be 2 positive numbers"),
        ({"num_heads": (2, 3, 8)}, "level 2 has 128 channels, which num_heads 3"),
        ({"compression": (8, 16, 48)}, "level 3 has 256 channels, which .* compression 48 do not divide"),
        ({"fusion_heads": (4, 7)}, "fusion_heads 7 do not divide the 256 channels fused at level 2"),
        ({"window_size": 7}, "window_size 7 is not even"),
        ({"dim": 33}, "dim 33 is odd"),
        ({"drop_path": 1.5}, "probability .* is not in"),
        ({"text_mode": "mixed"}, "text_mode 'mixed' is unknown; choose 'published', 'separate' or 'projected'"),
        ({"task": "haze"}, "task 'haze' is unknown; choose one of gaussian_noise, .*, band_missing"),
        ({"task": 6}, "task 6 is unknown"),
    ],
)
def test_impossible_settings_give_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MPHSIR(**settings)


def test_wrong_task_ids_give_a_sentence() -> None:
    x = cube(2, 31, 16, 16)
    network: nn.Module = compact()
    with pytest.raises(ValueError, match=r"task_id is \[3\] for a batch of 2"):
        network(x, torch.tensor([0, 1, 1]))
    with pytest.raises(ValueError, match=r"task_id \[0, 2\] leaves 0 to 1 \(gaussian_noise, blur\)"):
        network(x, torch.tensor([0, 2]))
