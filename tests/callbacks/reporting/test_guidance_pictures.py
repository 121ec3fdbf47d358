"""Pictures of words, weights and spectra: what they show, that nothing stays changed, and who may ask for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from callbacks import GuidancePictures
from callbacks.reporting.guidance_pictures import draw_guidance, middle, unique_names, watched, without_weights
from hyperalign.errors import InputError, UsageError
from lightning_modules import CO2IF, FusionModule
from tests.callbacks.tiny import tiny_trainer
from tests.callbacks.tiny_fusion import MiniPair, fusion_data, fusion_module, tiny_towers
from tests.experiments.compact_co2if import COMPACT


def module(folder: Path) -> FusionModule:
    """A CO2IF of random weights, also those that start at zero."""
    torch.manual_seed(0)
    network = CO2IF(8, ratio=4, text_width=32, image_width=32, **COMPACT)
    for parameter in network.tail.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return FusionModule(network, towers=tiny_towers(folder))


def test_the_first_scenes_of_every_test_set_are_drawn(tmp_path: Path) -> None:
    pictures = GuidancePictures(str(tmp_path / "out"), scenes=1, side=16)
    data = fusion_data(tmp_path)
    tiny_trainer(tmp_path, [pictures]).test(module(tmp_path), datamodule=data, verbose=False)
    drawn = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png"))
    kinds = ("weight", "weight_spectra", "words")
    assert drawn == [f"{place}_{kind}.png" for place in ("observed/amber", "unobserved/delta") for kind in kinds]
    assert pictures.root == tmp_path / "out"


def test_words_share_the_image_and_without_w_the_network_is_another_until_the_block_ends(tmp_path: Path) -> None:
    tested = module(tmp_path)
    batch = middle(next(iter(fusion_data(tmp_path).test_dataloader()[0])), 12)
    guide = tested.network.get_submodule("text_guide")
    before = tested.restore(batch)
    with watched(guide.get_submodule("transport")) as moved:
        assert torch.equal(tested.restore(batch), before)
    with without_weights(guide):
        assert (tested.restore(batch) - before).abs().max() > 1e-6
    assert torch.equal(tested.restore(batch), before)
    assert len(moved) == 1
    plan = moved[0].plan[0]
    shares = plan / plan.sum(dim=1, keepdim=True) * plan.shape[1]
    assert torch.allclose(shares.mean(dim=0), torch.ones(plan.shape[1]), atol=1e-3)
    _, (_, mask) = tested.inputs(batch)
    assert int(mask.sum()) == plan.shape[1]


def test_the_middle_is_the_same_ground_of_all_images() -> None:
    low = torch.arange(36.0).view(1, 1, 6, 6).repeat(2, 1, 1, 1)
    high = torch.repeat_interleave(torch.repeat_interleave(low, 4, dim=2), 4, dim=3)
    batch = {"observation": low, "multispectral": high, "target": high, "name": ["a", "b"], "caption": ["x", "y"]}
    cut = middle(batch, 9)
    assert cut["observation"].flatten().tolist() == [14.0, 15.0, 20.0, 21.0]
    assert cut["multispectral"].shape == cut["target"].shape == (1, 1, 8, 8)
    assert torch.equal(cut["target"][..., ::4, ::4], cut["observation"])
    assert (cut["name"], cut["caption"]) == (["a"], ["x"])
    assert middle(batch, 999)["target"].shape == (1, 1, 24, 24)


def test_every_column_has_the_name_of_its_word(tmp_path: Path) -> None:
    towers = tiny_towers(tmp_path)
    caption = "A red cup beside a red plate."
    words = towers.words(caption)
    _, mask = towers.tokens([caption])
    assert words[1:4] == ["a", "red", "cup"]
    assert (words[0], words[-1]) == ("", "(end)")
    assert mask[0, : len(words)].tolist() == [False] + [True] * (len(words) - 1)
    assert int(mask.sum()) == len(words) - 1
    assert unique_names(["red", "cup", "red"]) == {0: "red", 1: "cup", 2: "red (2)"}


def test_a_scene_without_truth_is_drawn_too(tmp_path: Path) -> None:
    batch = middle(next(iter(fusion_data(tmp_path).test_dataloader()[0])), 8)
    del batch["target"]
    assert all(path.is_file() for path in draw_guidance(tmp_path / "out", module(tmp_path), batch))


def test_who_has_no_words_is_told(tmp_path: Path) -> None:
    tested = fusion_module(tmp_path, MiniPair())
    with pytest.raises(UsageError, match="draws the words and weights of CO2IF, but MiniPair is tested"):
        tiny_trainer(tmp_path, [GuidancePictures()]).test(tested, datamodule=fusion_data(tmp_path), verbose=False)
    with pytest.raises(InputError, match="scenes=0 and side=128: give at least 1"):
        GuidancePictures(scenes=0)
