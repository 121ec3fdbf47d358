"""HIR-ALIGN on pairs of observations: the three stages with a fusion network, from the pairs and captions alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from callbacks import ProxyGeneration
from callbacks.adaptation.proxies import make_proxies
from callbacks.reporting.results_table import ResultsTable, means
from datamodules import Observation, Scene
from lightning_modules import CO2IF, ClipError, ClipTowers, FusionModule
from tests.callbacks.tiny import MiniScenes, stages, store_files, tiny_trainer, weights_of
from tests.callbacks.tiny_fusion import MiniFusion, fusion_data, fusion_module, tiny_towers

pytest.importorskip("open_clip")
pytestmark = pytest.mark.filterwarnings("ignore:Only .* of the channel")


def fused(module: FusionModule, network: torch.nn.Module, observation: Observation) -> Tensor:
    """What stage (i) should make of one observation, written out."""
    assert observation.multispectral is not None
    tokens = tiny_towers(Path(module.towers.cache.folder).parent).tokens([observation.caption])
    with torch.no_grad():
        restored: Tensor = network(observation.cube[None], observation.multispectral[None], *tokens)[0].clamp(0, 1)
    return restored


def test_all_three_stages_adapt_a_fusion_network(tmp_path: Path) -> None:
    module, data = fusion_module(tmp_path), fusion_data(tmp_path)
    before = weights_of(module)
    both = stages(tmp_path / "store")
    table = ResultsTable(str(tmp_path / "out"))
    trainer = tiny_trainer(tmp_path, [*both, table])
    trainer.fit(module, datamodule=data)
    assert trainer.global_step == 2
    assert float((weights_of(module) - before).abs().max()) > 1e-3
    for proxy, observation in zip(both[0].proxies, data.observations(), strict=True):  # type: ignore[attr-defined]
        assert proxy.caption == observation.caption != ""
        expected = fused(module, module.source_network(), observation)
        torch.testing.assert_close(proxy.load().cube, expected, rtol=0, atol=0)
    batch = next(iter(data.train_dataloader()))
    assert len(data._training_scenes) == 9
    assert batch["multispectral"].shape == (4, 3, 16, 16)
    assert batch["observation"].shape == (4, 8, 4, 4)
    captions = [f"the scene {name.split(' guide')[0]}" for name in batch["name"]]
    assert batch["caption"] == captions
    trainer.test(module, datamodule=data, verbose=False)
    assert {(row.model, row.scene) for row in table.rows} == {
        (model, scene)
        for model in ("adapted", "source-only")
        for scene in ("amber", "birch", "coral", "delta", "ember")
    }
    amber = next(one for one in data.observations() if one.name == "amber")
    with torch.no_grad():
        tokens = module.towers.tokens([amber.caption])
        restored = module.source_network()(amber.cube[None], amber.multispectral[None], *tokens)[0]  # type: ignore[index]
    scores = module.protocol.evaluate(restored, data.scenes(["amber"])[0].load().cube)
    (row,) = (row for row in table.rows if (row.scene, row.model) == ("amber", "source-only"))
    assert row.psnr == pytest.approx(scores["psnr"], abs=1e-5)
    assert means(table.rows)["observed", "adapted"] != means(table.rows)["observed", "source-only"]


class Vanishing(MiniScenes):
    """Scenes whose clean cubes are gone for good as soon as the sensors have looked at them."""

    gone = False

    def observations(self) -> list[Observation]:
        found = super().observations()
        shutil.rmtree(self.cache.folder)
        self.gone = True
        return found

    def read_scene(self, name: str) -> Scene:
        assert not self.gone, "a clean cube was read"
        return super().read_scene(name)


def test_nothing_clean_is_needed_once_the_pairs_are_there(tmp_path: Path) -> None:
    """The fit without any clean cube left ends with the bytes and the weights of the fit that could have looked."""
    results = []
    for kind, folder in ((MiniScenes, tmp_path / "there"), (Vanishing, tmp_path / "gone")):
        data = fusion_data(folder)
        data.__class__ = kind
        module = fusion_module(folder)
        tiny_trainer(folder, stages(folder / "store")).fit(module, datamodule=data)
        results.append((store_files(folder / "store"), weights_of(module)))
    assert isinstance(data, Vanishing)
    assert data.gone
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])
    with pytest.raises(AssertionError, match="a clean cube was read"):
        data.scenes(["amber"])


def pair(value: float = 0.5, caption: str = "a lake", shift: float = 0.0) -> Observation:
    """A pair that no DataModule knows and of which no clean cube exists."""
    cube = torch.linspace(0, value, 8 * 5 * 6).view(8, 5, 6)
    multispectral = torch.linspace(shift, 1, 3 * 20 * 24).view(3, 20, 24)
    return Observation("a", cube, MiniScenes.wavelengths, caption, multispectral)


def test_a_proxy_depends_on_the_pair_and_its_caption_and_on_nothing_else(tmp_path: Path) -> None:
    module = fusion_module(tmp_path)
    restorer, network = module.source_restorer(), module.source_network()
    assert restorer is not None

    def proxy(observation: Observation) -> tuple[Path, Tensor]:
        (made,) = make_proxies(restorer, [observation], tmp_path / "store", degradation={})
        return made.path, made.load().cube

    path, cube = proxy(pair())
    assert torch.equal(cube, fused(module, network, pair()))
    assert proxy(pair())[0] == path
    others = [proxy(pair(0.6)), proxy(pair(shift=0.1)), proxy(pair(caption="a forest"))]
    assert len({path.parent, *(other.parent for other, _ in others)}) == 4
    assert all(not torch.equal(other, cube) for _, other in others)
    before = len(store_files(tmp_path / "store"))
    module.towers = ClipTowers("tiny-random", "another tag", cache=str(tmp_path / "clip"))
    with pytest.raises(ClipError, match=r"^ClipTowers: the weights another tag of tiny-random cannot be loaded"):
        proxy(pair())
    assert len(store_files(tmp_path / "store")) == before


def test_captions_and_images_leave_the_key_of_a_single_sensor_alone(tmp_path: Path) -> None:
    single = replace(pair(), multispectral=None)
    identity = torch.nn.Identity()
    paths = {
        make_proxies(identity, [one], tmp_path, degradation={})[0].path for one in (single, replace(single, caption=""))
    }
    assert len(paths) == 1


def test_tiles_cut_both_images_alike(tmp_path: Path) -> None:
    restorer = fusion_module(tmp_path)
    generator = torch.Generator().manual_seed(0)
    batch = {
        "observation": torch.rand(1, 8, 40, 24, generator=generator),
        "multispectral": torch.rand(1, 3, 160, 96, generator=generator),
        "caption": ["a lake"],
        "name": ["a"],
    }
    whole, tiled = restorer.restore(batch), restorer.restore(batch, 16)
    difference = (whole - tiled).abs()
    # Where only the first tile is, both are the same; at seams a tile sees no neighbour.
    assert float(difference[..., :44, :28].max()) < 1e-5
    assert float(difference.mean()) < 0.02


def test_a_missing_caption_ends_the_stage_in_one_sentence(tmp_path: Path) -> None:
    module = fusion_module(tmp_path)
    with pytest.raises(ValueError, match=r"^The scene a has no caption, which the network reads; name a caption file"):
        make_proxies(module, [pair(caption=" ")], tmp_path / "store", degradation={})
    assert store_files(tmp_path / "store") == {}


def test_co2if_itself_is_adapted(tmp_path: Path) -> None:
    network = CO2IF(
        8, 3, 4, 32, image_width=32, embedding_width=16, dim=16, encoder_blocks=1, decoder_blocks=1, state_dim=2,
        cot_iterations=20, cot_smooth_steps=1,
    )  # fmt: skip
    module = fusion_module(tmp_path, network, source=None)
    torch.save(network.state_dict(), tmp_path / "co2if.pt")
    module.source = str(tmp_path / "co2if.pt")
    before = weights_of(module)
    both = stages(tmp_path / "store", ratio=1)
    trainer = tiny_trainer(tmp_path, both, max_steps=2)
    trainer.fit(module, datamodule=fusion_data(tmp_path))
    assert trainer.global_step == 2
    assert isinstance(both[0], ProxyGeneration)
    assert both[0].proxies[0].shape == (8, 24, 24)
    changed = weights_of(module) - before
    assert bool(changed.isfinite().all())
    assert float(changed.abs().max()) > 1e-3
    assert 0 < float(trainer.callback_metrics["train/contrastive"]) < 50


def test_the_stand_in_has_what_the_module_asks_of_a_network() -> None:
    for name in ("use_text", "use_msi", "embed", "logit_scale"):
        assert hasattr(MiniFusion(), name)
        assert hasattr(CO2IF(dim=8, encoder_blocks=1, decoder_blocks=1), name)
