"""S2CycleDiff against the published implementation's recorded outputs, at other ratios and sizes, and its training."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks import S2CycleDiff
from tests.pairs import (
    assert_equal_to_plain,
    assert_refuses,
    assert_takes_the_phase,
    mirrored,
    pair,
    relative,
    together_and_alone_pairs,
)
from tests.plain.s2cyclediff import COMPACT, denoised, plain_forward
from tests.published import Case, our_names, parameter_count, published_case, published_inputs, tap_error, tapped

TAPS = {
    "model_spe.noise_level_mlp": "spectral.embedding",
    "model_spe.cros_att.2": "spectral.cross_attentions.2",
    "model_spa.cros_att.2": "spatial.cross_attentions.2",
}
STEP = 999


@pytest.fixture(scope="module")
def case(shared: Path, golden: ModuleType) -> Case[S2CycleDiff]:
    """Recorded case, its outputs, and our network without arguments with the drawn weights."""
    return published_case(golden, shared / "golden" / "fusion", "s2cyclediff", lambda _spec: S2CycleDiff())


def predictions(network: S2CycleDiff, images: dict[str, Tensor], factor: float) -> tuple[Tensor, Tensor]:
    """Both predictions of the clean cube at the recorded step."""
    enlarged = network._enlarge(images["lr_hsi"])
    level = network.schedule.levels[STEP].expand(1)
    beside = torch.cat((images["hr_msi"], images["x_spe"]), dim=1)
    spectral = network.spectral(beside, level, network.spectral.guide(enlarged, factor), factor)
    beside = torch.cat((enlarged, images["x_spa"]), dim=1)
    spatial = network.spatial(beside, level, network.spatial.guide(images["hr_msi"], factor), factor)
    return spectral, spatial


def test_predictions_and_inner_outputs_equal_the_published_network(case: Case[S2CycleDiff], golden: ModuleType) -> None:
    spec, outputs, network = case
    assert spec["config"]["t"] == STEP
    images = published_inputs(golden, spec)
    found: dict[str, Tensor] = {}
    with torch.no_grad():
        found["x0_spe_att0"], found["x0_spa_att0"] = predictions(network, images, 0.0)
        with tapped({tap: network.get_submodule(path) for tap, path in TAPS.items()}) as seen:
            found["x0_spe"], found["x0_spa"] = predictions(network, images, network.attention)
        found["fused"] = network.fuse(torch.cat((found["x0_spe"], found["x0_spa"]), dim=1))
    for chain in ("spe", "spa"):
        found[f"mean_{chain}"] = network.schedule.mean(found[f"x0_{chain}"], images[f"x_{chain}"], STEP)
    for name, ours in found.items():
        assert golden.relative_error(ours[..., 1::4, ::4], outputs[name]) <= 1e-5, name
    assert golden.relative_error(network.schedule.log_variance[STEP : STEP + 1], outputs["log_variance"]) <= 1e-6
    assert golden.relative_error(network.schedule.levels[STEP].view(1, 1), outputs["noise_level"]) <= 1e-6
    assert set(outputs) == {*found, "log_variance", "noise_level", *(f"tap:{tap}" for tap in TAPS)}
    for tap, inner in seen.items():
        ours = inner[0][None] if tap.endswith("mlp") else inner[0]
        assert tap_error(golden, spec, outputs, tap, ours) <= 1e-5, tap


def test_published_configuration_and_names_without_unused_layers(case: Case[S2CycleDiff]) -> None:
    spec, _, network = case
    drawn = [row for row in spec["state"] if not row.get("derived")]
    unused = sum(
        torch.Size(row["shape"]).numel()
        for row in drawn
        if any(re.search(pattern, row["name"]) for pattern in S2CycleDiff.official_derived)
    )
    assert parameter_count(network) == 31_610_645
    assert parameter_count(network) + unused == spec["parameters"]
    assert our_names(spec, S2CycleDiff.official_names, S2CycleDiff.official_derived) == sorted(network.state_dict())


def small(**changes: Any) -> S2CycleDiff:  # noqa: ANN401
    """A small network of 5 bands at ratio 2."""
    torch.manual_seed(0)
    return S2CycleDiff(**{"input_channels": 5, "ratio": 2, **COMPACT, **changes})


@pytest.mark.parametrize(
    ("changes", "size", "batch"),
    [
        ({}, (2, 3), 2),
        ({"ratio": 8, "attention": 1.0}, (6, 1), 1),
        ({"multipliers": (1, 2, 2, 2), "ratio": 3, "multispectral_channels": 1, "start": "normal"}, (16, 8), 1),
        ({"attention": 0.0, "input_channels": 1, "steps": 2, "blocks": 2}, (4, 2), 3),
    ],
)
def test_ratios_sizes_and_batches_equal_the_plain_form(
    changes: dict[str, Any], size: tuple[int, int], batch: int
) -> None:
    network = small(**changes)
    images = pair(network.input_channels, network.multispectral_channels, network.ratio, size, batch)
    assert_equal_to_plain(network, plain_forward, images)


def test_a_sampling_is_deterministic_unless_told_and_does_not_depend_on_batch_mates() -> None:
    images = pair(5, 3, 2, (3, 4), batch=2)
    together, alone = together_and_alone_pairs(small(), images)
    assert relative(together, alone) <= 1e-5
    free = small(seed=None)
    assert not torch.equal(free(*images), free(*images))
    assert not torch.equal(small(seed=1)(*images), small(seed=2)(*images))


def test_any_size_is_continued_by_reflection_and_cropped() -> None:
    network, same_size = small(ratio=3).eval(), small(ratio=3).eval()
    cube, image = pair(5, 3, 3, (3, 5))
    enlarged = mirrored(functional.interpolate(cube, scale_factor=3, mode="bicubic"), 10, 16)
    same_size.ratio = 1
    fused = network(cube, image)
    assert fused.shape == (1, 5, 9, 15)
    assert relative(fused, same_size(enlarged, mirrored(image, 10, 16))[..., :9, :15]) <= 1e-5


def test_the_published_chain_takes_every_step() -> None:
    network = small(steps=None, diffusion_steps=4).eval()
    images = pair(5, 3, 2, (2, 4))
    draws, schedule = network._draws(images[1].new_empty(1, 5, 4, 8)), network.schedule
    spe, spa = next(draws), next(draws)
    enlarged = functional.interpolate(images[0], scale_factor=2, mode="bicubic")
    with torch.no_grad():
        for step in (3, 2, 1, 0):
            level = schedule.levels[step].view(1)
            x0 = denoised(network.spectral, torch.cat((images[1], spe), dim=1), enlarged, level, 0.1)
            y0 = denoised(network.spatial, torch.cat((enlarged, spa), dim=1), images[1], level, 0.1)
            noise = next(draws) * (schedule.log_variance[step] / 2).exp() if step else 0.0
            spe, spa = schedule.mean(x0, spe, step) + noise, schedule.mean(y0, spa, step) + noise
        expected = network.fuse(torch.cat((spe, spa), dim=1))
    assert relative(network(*images), expected) <= 1e-5


@pytest.mark.parametrize("begun", [False, True])
def test_the_objective_is_the_published_one(begun: bool) -> None:
    network, (cube, image) = small(), pair(5, 3, 2, (4, 4), batch=3)
    clean = torch.rand(3, 5, 8, 8, generator=torch.Generator().manual_seed(4))
    torch.manual_seed(7)
    parts = network.objective(cube, image, clean, begun)
    torch.manual_seed(7)
    steps, noise = torch.randint(0, 1999, (3,)), torch.randn(3, 5, 8, 8)
    levels = network.schedule.levels[steps].view(-1, 1, 1, 1)
    noisy = levels * clean + (1 - levels**2).sqrt() * noise
    enlarged = functional.interpolate(cube, scale_factor=2, mode="bicubic")
    spectral = denoised(network.spectral, torch.cat((image, noisy), dim=1), enlarged, levels.flatten(), 0.0)
    spatial = denoised(network.spatial, torch.cat((enlarged, noisy), dim=1), image, levels.flatten(), 0.0)
    weight = 0.1 if begun else 1.0
    expected = {
        "spectral": (clean - spectral).abs().mean(),
        "spatial": (clean - spatial).abs().mean(),
        "cube": weight * (cube - network.reduce_cube(spectral)).abs().mean(),
        "image": weight * (image - network.response(spatial)).abs().mean(),
        "cross": 0.1 * (network.reduce_image(image) - network.response(cube)).abs().mean(),
    }
    if begun:
        expected["fused"] = (clean - network.fuse(torch.cat((spectral, spatial), dim=1))).abs().mean()
    assert set(parts) == set(expected)
    for name, part in parts.items():
        assert float(part.detach()) == pytest.approx(float(expected[name].detach()), rel=1e-4), name


def taught(network: S2CycleDiff, *terms: str) -> set[str]:
    """Names of the parameters that terms of the objective give a gradient."""
    (cube, image), clean = pair(5, 3, 2, (4, 4)), torch.rand(1, 5, 8, 8)
    parts = network.objective(cube, image, clean, begun=True)
    torch.stack([parts[term] for term in terms or parts]).sum().backward()
    return {name for name, value in network.named_parameters() if value.grad is not None and bool(value.grad.any())}


def test_attentions_learn_only_where_they_are_told_to_and_the_fused_term_teaches_its_block_alone() -> None:
    every = {name for name, _ in small().named_parameters()}
    reduced = {name for name in every if re.search(r"cross_attentions\.\d\.(down|up)\.", name)}
    assert taught(small()) == {name for name in every if "_attentions." not in name}
    # Images of 8 pixels are too small for the spatial attention to reduce them.
    assert taught(small(training_attention=0.1)) == every - reduced
    assert taught(small(), "fused") == {name for name in every if name.startswith("fuse.")}


def test_impossible_settings_and_images_give_a_sentence() -> None:
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"ratio": 0}, "S2CycleDiff: ratio 0 is below 1"),
        ({"inner": 20}, "S2CycleDiff: inner 20 is no even multiple of 4 groups"),
        ({"multipliers": (1,)}, "or 1 levels are fewer than two"),
        ({"steps": 2001}, "S2CycleDiff: steps 2001 is not between 2 and 2000"),
        ({"start": "zero"}, "S2CycleDiff: start 'zero' is unknown; choose uniform or normal"),
    )
    for settings, sentence in refused:
        with pytest.raises(InputError, match=sentence):
            small(**settings)
    assert_refuses(small(), 5, 3, 2)
    cube, image = pair(5, 3, 2, (3, 4))
    with pytest.raises(InputError, match="training patches of 6 x 8 pixels do not divide by 4"):
        small(multipliers=(1, 2, 2)).objective(cube, image, torch.rand(1, 5, 6, 8), begun=True)


def test_the_cube_is_enlarged_from_its_sampling_phase() -> None:
    torch.manual_seed(0)
    assert_takes_the_phase(small(use_phase=True), 5, 3, 2)
    assert not small().takes_phase
