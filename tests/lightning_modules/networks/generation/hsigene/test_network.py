"""HSIGeneNetwork: published sizes, released files, conditions, guidance (its parts: the files beside)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.checkpoints import CheckpointError, load_official, load_official_state
from lightning_modules.networks.generation.hsigene.network import Conditions, HSIGeneNetwork, local_images
from lightning_modules.networks.generation.hsigene.sampling import (
    alpha_bars,
    ddim_step,
)
from tests.lightning_modules.networks.generation.hsigene.drawn import SIDE, draw, drawn_conditions
from tests.lightning_modules.networks.generation.hsigene_official import (
    SMALL_ARGUMENTS,
    PlainForm,
)


def parameters(*parts: nn.Module) -> int:
    return sum(weight.numel() for part in parts for weight in part.parameters())


def test_the_published_parts_have_the_published_numbers_of_parameters() -> None:
    with torch.device("meta"):
        network = HSIGeneNetwork()
    autoencoder = network.autoencoder
    assert parameters(autoencoder.encoder) == 10_212_288
    assert parameters(autoencoder.decoder) == 12_912_112
    assert parameters(autoencoder.to_moments, autoencoder.from_latent) == 2_024
    assert parameters(network.unet) == 859_520_964
    assert parameters(network.local_adapter) == 419_462_288
    assert parameters(network.content_adapter) == 47_213_568
    assert parameters(network.text_adapter) == 28_333_824
    assert parameters(network.metadata_embedding) == 2_876_160
    assert parameters(network) == 1_380_533_228


def test_a_file_in_the_released_layout_is_loaded_and_other_entries_are_left_out(
    tmp_path: Path, network: HSIGeneNetwork, plain: PlainForm
) -> None:
    others = {
        "betas": torch.ones(1000),
        "logvar": torch.zeros(1000),
        "cond_stage_model.transformer.text_model.final_layer_norm.weight": torch.ones(4),
        "model_ema.decay": torch.tensor(0.5),
    }
    torch.save({"state_dict": plain.state | others, "global_step": 3}, tmp_path / "last.ckpt")
    loaded = HSIGeneNetwork(**SMALL_ARGUMENTS).eval()
    load_official(loaded, tmp_path / "last.ckpt")
    conditions = drawn_conditions(network)
    start = draw(2, 4, 8, 8)
    assert torch.equal(loaded.generate(start, conditions, 2), network.generate(start, conditions, 2))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("missing", r"1 of its \d+ entries are missing \(first: unet.out.2.weight\) and 0 are unknown"),
        ("unknown", r"0 of its \d+ entries are missing and 1 are unknown to it \(first: text_adapter.lookup"),
        ("shape", r"unet.out.2.weight is \[4, 8, 3, 3\] there and \[4, 16, 3, 3\] here"),
    ],
)
def test_weights_that_do_not_fit_are_named_in_one_sentence(plain: PlainForm, change: str, sentence: str) -> None:
    state = dict(plain.state)
    if change == "missing":
        del state["model.diffusion_model.out.2.weight"]
    elif change == "unknown":
        state["global_text_adapter.lookup.weight"] = torch.zeros(1)
    else:
        state["model.diffusion_model.out.2.weight"] = torch.zeros(4, 8, 3, 3)
    with pytest.raises(CheckpointError, match=sentence):
        load_official_state(HSIGeneNetwork(**SMALL_ARGUMENTS), state)


def test_what_is_not_given_is_zeros_and_seven_metadata_zeros_are_no_zero_embedding(
    network: HSIGeneNetwork, plain: PlainForm
) -> None:
    text = draw(2, 77, 16)
    default = network.conditions(text, side=SIDE)
    images = torch.zeros(2, 18, 2 * SIDE, 2 * SIDE)
    explicit = network.conditions(text, torch.zeros(2, 16), torch.zeros(2, 7), images, side=SIDE)
    assert torch.equal(default.context, explicit.context)
    assert torch.equal(default.metadata, explicit.metadata)
    for one, other in zip(default.local, explicit.local, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    cosines = sum(
        plain.state[f"metadata_emb.mlp_models.{number}.fc1.weight"][:, 1::2].sum(dim=1)
        + plain.state[f"metadata_emb.mlp_models.{number}.fc1.bias"]
        for number in range(7)
    )
    assert isinstance(cosines, Tensor)
    torch.testing.assert_close(default.metadata[0], cosines, rtol=1e-5, atol=1e-5)
    # the four content tokens of a zero vector still pass the adapter
    assert float(default.context[:, 77:].abs().mean()) > 0.01


def test_guidance_leads_away_from_the_unconditional_noise(network: HSIGeneNetwork) -> None:
    steered, free = drawn_conditions(network), drawn_conditions(network, seed=8)
    start, levels = draw(2, 4, 8, 8), alpha_bars().tolist()
    sample = start
    for timestep, following in ((501, 1), (1, 0)):
        towards, away = network(sample, timestep, steered), network(sample, timestep, free)
        sample = ddim_step(sample, away + 3.0 * (towards - away), levels[timestep], levels[following])
    found = network.generate(start, steered, 2, 3.0, free)
    torch.testing.assert_close(found, network.decode(sample), rtol=1e-4, atol=1e-5)
    assert float((found - network.generate(start, steered, 2)).abs().max()) > 1e-3
    with pytest.raises(ValueError, match="guidance 3 needs unconditional conditions"):
        network.generate(start, steered, 1, 3.0)


def test_batch_mates_do_not_change_a_generated_cube(network: HSIGeneNetwork) -> None:
    conditions, start = drawn_conditions(network), draw(2, 4, 8, 8)
    together = network.generate(start, conditions, 4)
    assert together.shape == (2, 6, SIDE, SIDE)
    assert float(together.min()) >= 0
    assert float(together.max()) <= 1
    for index in range(2):
        one = slice(index, index + 1)
        mine = Conditions(
            conditions.context[one], conditions.metadata[one], tuple(level[one] for level in conditions.local)
        )
        torch.testing.assert_close(network.generate(start[one], mine, 4), together[one], rtol=0, atol=2e-5)


@pytest.mark.parametrize("part", ["text", "content", "metadata", "local"])
def test_every_condition_changes_the_predicted_noise(network: HSIGeneNetwork, part: str) -> None:
    given: dict[str, Any] = {
        "text": draw(1, 77, 16),
        "content": draw(1, 16),
        "metadata": draw(1, 7),
        "local": draw(1, 18, 2 * SIDE, 2 * SIDE).sigmoid(),
    }
    latent = draw(1, 4, 8, 8)
    before = network(latent, 481, network.conditions(**given, side=SIDE))
    given[part] = given[part].flip(-1)
    after = network(latent, 481, network.conditions(**given, side=SIDE))
    assert float((after - before).abs().max()) > 1e-4


def test_condition_images_lie_in_their_published_slots() -> None:
    image = torch.ones(1, 3, 8, 8)
    for slot, first in (("hed", 0), ("segmentation", 6), ("sketch", 12), ("mlsd", 15)):
        images = local_images({slot: image}, 16)
        assert images.shape == (1, 18, 16, 16)
        assert images.sum(dim=(0, 2, 3)).nonzero().flatten().tolist() == [first, first + 1, first + 2]
    with pytest.raises(ValueError, match="no local condition 'depth': choose one of hed, segmentation, sketch, mlsd"):
        local_images({"depth": image}, 16)
    with pytest.raises(ValueError, match=r"hed has shape \(3, 8, 8\): give 3 x 3 x H x W"):
        local_images({"hed": image[0]}, 16)


def test_wrong_sizes_are_said_in_one_sentence(network: HSIGeneNetwork) -> None:
    with pytest.raises(ValueError, match="text embedding is 12 wide and the network's context 16"):
        network.conditions(draw(1, 77, 12), side=SIDE)
    with pytest.raises(ValueError, match="content embedding is 8 wide"):
        network.conditions(draw(1, 77, 16), draw(1, 8), side=SIDE)
    with pytest.raises(ValueError, match="size is 20: choose a multiple of 8"):
        network.conditions(draw(1, 77, 16), side=20)
    with pytest.raises(ValueError, match="one for each of the 2 UNet levels"):
        HSIGeneNetwork(multipliers=(1, 2))
