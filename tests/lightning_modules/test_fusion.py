"""The fusion module in real fits, tests and predictions: which losses, which inputs, what a checkpoint holds."""

from __future__ import annotations

import math
import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor

from datamodules import FusionObservation, NonIIDGaussian
from datamodules.degradations import bicubic_resize
from hyperalign.captions import Region, RegionCaption, Window
from hyperalign.errors import InputError
from lightning_modules import ClipTowers, FusionModule
from lightning_modules.losses import contrastive_loss
from lightning_modules.networks.fusion.srlf.sensor import PairSensor
from tests.callbacks.tiny import MiniScenes, tiny_trainer
from tests.callbacks.tiny_fusion import MiniFusion, MiniPair, fusion_data, fusion_module, tiny_towers

pytest.importorskip("open_clip")
pytestmark = pytest.mark.filterwarnings("ignore:Only .* of the channel")
SOURCE = {"role": "source", "observed": None, "unobserved": None, "training": ["amber", "birch"]}


class Untouchable(ClipTowers):
    """Towers that nobody may ask."""

    def tokens(self, *_: object) -> tuple[Tensor, Tensor]:
        raise AssertionError("towers were asked")

    text_embeddings = image_embeddings = tokens  # type: ignore[assignment]


def source_data(folder: Path, **changes: Any) -> MiniScenes:  # noqa: ANN401
    return fusion_data(folder, **(SOURCE | {"validation": ["coral"]} | changes))


def fitted(folder: Path, module: LightningModule, data: MiniScenes | None = None, **changes: Any) -> Trainer:  # noqa: ANN401
    trainer = tiny_trainer(folder, [], **changes)
    trainer.fit(module, datamodule=source_data(folder) if data is None else data)
    return trainer


def batch_of(folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    data = source_data(folder)
    data.prepare_data()
    return {**next(iter(data.train_dataloader())), **changes}


def loss_of(module: FusionModule, batch: dict[str, Any]) -> tuple[Tensor, dict[str, float]]:
    """Loss of a batch, and what is logged, outside of a Trainer."""
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.__setitem__(name, float(value))  # type: ignore[method-assign]
    return module.training_loss(batch), logged


def test_the_loss_is_that_of_equation_18(tmp_path: Path) -> None:
    module, batch = fusion_module(tmp_path, contrastive_weight=0.5), batch_of(tmp_path)
    loss, logged = loss_of(module, batch)
    towers, network = tiny_towers(tmp_path), module.network
    assert isinstance(network, MiniFusion)
    restored = network(batch["observation"], batch["multispectral"], *towers.tokens(batch["caption"]))
    difference = (restored - batch["target"]).abs().mean()
    text, image = network.embed(*towers.tokens(batch["caption"]), towers.image_embeddings(batch["multispectral"]))
    contrast = contrastive_loss(text, image, network.logit_scale, batch["caption"])
    assert set(batch["caption"]) == {"the scene amber", "the scene birch"}
    assert logged["train/l1"] == pytest.approx(float(difference.detach()), rel=1e-6)
    assert logged["train/contrastive"] == pytest.approx(float(contrast.detach()), rel=1e-5)
    assert float(contrast.detach()) > 0.01
    assert float(loss.detach()) == pytest.approx(float((difference + 0.5 * contrast).detach()), rel=1e-6)


def test_equation_17_as_a_sum_over_the_cube(tmp_path: Path) -> None:
    batch = batch_of(tmp_path)
    losses = {}
    for reduction in ("mean", "sum"):
        torch.manual_seed(0)
        module = fusion_module(tmp_path, l1_reduction=reduction)
        losses[reduction] = loss_of(module, batch)[1]["train/l1"]
    assert losses["sum"] == pytest.approx(losses["mean"] * batch["target"][0].numel(), rel=1e-5)


def test_every_part_of_the_network_learns_and_no_tower_does(tmp_path: Path) -> None:
    module = fusion_module(tmp_path)
    loss, _ = loss_of(module, batch_of(tmp_path))
    loss.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name
    assert isinstance(module.towers, ClipTowers)
    assert all(parameter.grad is None for parameter in module.towers._loaded().parameters())
    assert {name.split(".")[0] for name in module.state_dict()} == {"network"}


def test_red_green_and_blue_are_where_the_argument_says(tmp_path: Path) -> None:
    batch = batch_of(tmp_path)
    _, plain = loss_of(fusion_module(tmp_path), batch)
    _, turned = loss_of(fusion_module(tmp_path, rgb_channels=[2, 1, 0]), batch)
    flipped = {**batch, "multispectral": batch["multispectral"].flip(1)}
    _, both = loss_of(fusion_module(tmp_path, rgb_channels=[2, 1, 0]), flipped)
    assert turned["train/contrastive"] != pytest.approx(plain["train/contrastive"], rel=1e-4)
    assert both["train/contrastive"] == pytest.approx(plain["train/contrastive"], rel=1e-5)


def test_a_whole_scene_stands_for_its_patches_and_is_encoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    original = ClipTowers.image_embeddings

    def counted(self: ClipTowers, rgb: Tensor, keep: bool = False) -> Tensor:
        asked.append(rgb.shape[-1])
        return original(self, rgb, keep)

    monkeypatch.setattr(ClipTowers, "image_embeddings", counted)
    module, data = fusion_module(tmp_path, contrastive_image="scene"), source_data(tmp_path)
    fitted(tmp_path, module, data, max_epochs=2)
    # One kept image of 24 pixels for each of the two scenes; within it the tower itself; none of 16 x 16 patches.
    assert asked == [24] * 4
    scene = data.training_scene("amber")
    whole = data.degradation.multispectral(
        scene.load().cube, scene.wavelengths, torch.Generator().manual_seed(data.seed)
    )
    assert whole is not None
    expected = original(tiny_towers(tmp_path), whole[None])[0]
    torch.testing.assert_close(module._scene_embeddings[str(scene.path)], expected, rtol=0, atol=1e-5)


def test_networks_without_text_ask_no_tower(tmp_path: Path) -> None:
    """Neither for tokens nor for the contrastive loss, and they need no captions."""
    batch = batch_of(tmp_path, caption=[""] * 4)
    module = fusion_module(tmp_path, MiniPair(), towers=Untouchable("none"))
    loss, logged = loss_of(module, batch)
    assert set(logged) == {"train/l1"}
    assert module.input_settings() == {}
    assert float(loss.detach()) == pytest.approx(logged["train/l1"])
    deaf = MiniFusion()
    deaf.use_text = False
    deaf.forward = MiniPair().forward  # type: ignore[method-assign, assignment]
    assert set(loss_of(FusionModule(deaf, Untouchable("none")), batch)[1]) == {"train/l1"}


@pytest.mark.parametrize(("use_msi", "weight"), [(False, 1.0), (True, 0.0)])
def test_without_image_or_weight_there_is_nothing_to_contrast(tmp_path: Path, use_msi: bool, weight: float) -> None:
    network = MiniFusion()
    network.use_msi = use_msi
    _, logged = loss_of(fusion_module(tmp_path, network, contrastive_weight=weight), batch_of(tmp_path))
    assert set(logged) == {"train/l1"}


class Aligned(MiniFusion):
    """A network with a pairing loss of its own."""

    def matching_loss(self, observation: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        return observation.mean() * mask.sum() + 0 * tokens.sum()


def test_a_loss_of_the_networks_own_is_added(tmp_path: Path) -> None:
    batch = batch_of(tmp_path)
    loss, logged = loss_of(fusion_module(tmp_path, Aligned()), batch)
    words = int(tiny_towers(tmp_path).tokens(batch["caption"])[1].sum())
    assert logged["train/matching"] == pytest.approx(float(batch["observation"].mean()) * words, rel=1e-5)
    assert float(loss.detach()) == pytest.approx(sum(logged.values()), rel=1e-6)


def test_a_batch_of_one_has_no_contrast_and_no_nan(tmp_path: Path) -> None:
    module = fusion_module(tmp_path)
    trainer = fitted(tmp_path, module, source_data(tmp_path, batch_size=1, patches_per_epoch=2))
    assert float(trainer.callback_metrics["train/contrastive"]) == 0
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())


def test_the_temperature_stops_where_clip_stops_it_and_can_come_back(tmp_path: Path) -> None:
    network = MiniFusion()
    module = fusion_module(tmp_path, network)
    with torch.no_grad():
        network.logit_scale.fill_(9.0)
    loss, _ = loss_of(module, batch_of(tmp_path))
    assert float(network.logit_scale.detach()) == pytest.approx(math.log(100))
    (gradient,) = torch.autograd.grad(loss, network.logit_scale)
    assert abs(float(gradient)) > 0


def test_the_default_optimiser_is_the_papers() -> None:
    optimizer = FusionModule(MiniPair()).configure_optimizers()
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["betas"] == (0.9, 0.999)
    assert optimizer.defaults["lr"] == 1e-4


def test_validation_test_and_prediction_fuse_whole_scenes(tmp_path: Path) -> None:
    module = fusion_module(tmp_path)
    trainer = fitted(tmp_path, module, max_epochs=2)
    assert math.isfinite(float(trainer.callback_metrics["val/psnr"]))
    data = fusion_data(tmp_path)
    restored = tiny_trainer(tmp_path, []).predict(module, datamodule=data)
    assert restored is not None
    seen = data.observations()[1]
    assert seen.multispectral is not None
    with torch.no_grad():
        tokens = module.towers.tokens([seen.caption])
        expected = module.network(seen.cube[None], seen.multispectral[None], *tokens)
    torch.testing.assert_close(torch.as_tensor(restored[1]), expected, rtol=0, atol=1e-6)
    scores = tiny_trainer(tmp_path, []).test(module, datamodule=data, verbose=False)
    assert {key for part in scores for key in part} >= {"test/observed/psnr", "test/unobserved/sam"}


def test_checkpoints_are_small_plain_and_resume(tmp_path: Path) -> None:
    module = fusion_module(tmp_path)
    trainer = fitted(tmp_path, module, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    content = torch.load(tmp_path / "one.ckpt", weights_only=True)
    assert set(content["state_dict"]) == {f"network.{name}" for name in MiniFusion().state_dict()}
    assert (tmp_path / "one.ckpt").stat().st_size < 100_000
    again = fusion_module(tmp_path)
    resumed = tiny_trainer(tmp_path, [], max_epochs=2)
    resumed.fit(again, datamodule=source_data(tmp_path), ckpt_path=str(tmp_path / "one.ckpt"))
    straight = fusion_module(tmp_path)
    fitted(tmp_path, straight, max_epochs=2)
    for name, value in straight.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[name], value, rtol=0, atol=1e-6)


def refused(folder: Path, module: FusionModule, sentence: str, **changes: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        loss_of(module, batch_of(folder, **changes))


def test_missing_inputs_are_one_sentence(tmp_path: Path) -> None:
    module = fusion_module(tmp_path)
    batch = batch_of(tmp_path)
    names = ", ".join(dict.fromkeys(batch["name"]))
    refused(
        tmp_path,
        module,
        f"The scene {batch['name'][1]} has no caption, which the network reads; name a caption file by "
        "data.init_args.captions (`hyperalign caption` writes one), or build the network with use_text=False.",
        caption=["seen", " ", "seen", "seen"],
    )
    del batch["multispectral"]
    with pytest.raises(ValueError, match=rf"^The observation of {names} comes without a multispectral image, which "):
        module.training_loss(batch)
    refused(
        tmp_path,
        fusion_module(tmp_path, rgb_channels=[3, 2, 1]),
        f"FusionModule: rgb_channels [3, 2, 1] do not exist in the 3 multispectral channels of {names}; give the",
    )
    data = source_data(tmp_path, degradation=NonIIDGaussian(), patch_size=16)
    with pytest.raises(ValueError, match="comes without a multispectral image, which FusionModule needs; set data"):
        fitted(tmp_path, module, data)


def test_impossible_settings_are_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^FusionModule: contrastive_image 'tile' is unknown; take patch or scene\.$"):
        FusionModule(MiniPair(), contrastive_image="tile")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^FusionModule: contrastive_weight -1 is below 0; give 0 or more\.$"):
        FusionModule(MiniPair(), contrastive_weight=-1)
    with pytest.raises(
        ValueError, match=r"^FusionModule: rgb_channels is \[0, 1\]; give the numbers of red, green and"
    ):
        FusionModule(MiniPair(), rgb_channels=[0, 1])


def test_scenes_need_the_datamodule_that_has_them(tmp_path: Path) -> None:
    module = fusion_module(tmp_path, contrastive_image="scene")
    loader = source_data(tmp_path)
    loader.prepare_data()
    with pytest.raises(ValueError, match=r"^FusionModule: contrastive_image scene needs the DataModule that has the"):
        tiny_trainer(tmp_path, []).fit(module, loader.train_dataloader())
    with pytest.raises(ValueError, match=r"^The scene 'flint' is not among those trained on now: take names from"):
        loader.training_scene("flint")


def test_a_spoilt_multispectral_image_is_refused(tmp_path: Path) -> None:
    module, batch = fusion_module(tmp_path), batch_of(tmp_path)
    batch["multispectral"][2, 0, 3, 3] = float("nan")
    sentence = f"The observation of {batch['name'][2]} holds NaN or infinite values; repair or leave out the scene."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        module.predict_step(batch, 0)


class OwnObjective(MiniPair):
    """A network that brings its training objective and wants to know its sensors."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[bool] = []
        self.sensors: list[tuple[Tensor, Any, Any]] = []

    def objective(self, observation: Tensor, multispectral: Tensor, target: Tensor, begun: bool) -> dict[str, Tensor]:
        """Two terms."""
        self.begun.append(begun)
        difference = self(observation, multispectral) - target
        return {"near": difference.abs().mean(), "far": 2 * difference.square().mean()}

    def observe_by(self, response: Tensor, spread: Any, first: Any) -> None:  # noqa: ANN401
        """Take note."""
        self.sensors.append((response, spread, first))


def test_a_network_may_bring_its_own_objective(tmp_path: Path) -> None:
    network = OwnObjective()
    module, batch = FusionModule(network), batch_of(tmp_path)
    loss, logged = loss_of(module, batch)
    difference = network(batch["observation"], batch["multispectral"]) - batch["target"]
    assert logged["train/near"] == pytest.approx(float(difference.abs().mean()), rel=1e-5)
    assert logged["train/far"] == pytest.approx(2 * float(difference.square().mean()), rel=1e-5)
    assert float(loss) == pytest.approx(logged["train/near"] + logged["train/far"], rel=1e-6)
    assert set(logged) == {"train/near", "train/far"}


def test_a_network_learns_from_the_data_by_which_sensors_it_is_observed_and_when_training_has_begun(
    tmp_path: Path,
) -> None:
    network = OwnObjective()
    data = source_data(tmp_path)
    fitted(tmp_path, FusionModule(network), data, max_epochs=2)
    assert network.begun[0] is False
    assert network.begun[-1] is True
    response, spread, first = network.sensors[0]
    assert isinstance(data.degradation, FusionObservation)
    assert data.degradation.response is not None
    torch.testing.assert_close(response, data.degradation.response.matrix(data.wavelengths))
    assert (tuple(spread), first) == ((0.25,) * 4, 0)


@pytest.mark.parametrize(
    ("stated", "digest", "known", "is_refused"),
    [
        ("mine.csv", "b", "a", True),
        ("mine.csv", "a", "a", False),
        ("mine.csv", "b", None, False),  # weights that nobody knows the sensor of
        ("estimate", "b", "a", False),
        (None, "b", "a", False),
    ],
)
def test_pairs_of_another_sensor_than_the_weights_are_refused(
    stated: str | None, digest: str, known: str | None, is_refused: bool
) -> None:
    task = {"response": "mine", "response_digest": digest}
    data = SimpleNamespace(response=stated, degradation=SimpleNamespace(settings=lambda: task))
    for network, refuses in ((MiniPair(), is_refused), (OwnObjective(), False)):
        module = FusionModule(network)
        module._task = None if known is None else {"response": "nikon_d700", "response_digest": known}
        module._trainer = SimpleNamespace(datamodule=data)  # type: ignore[assignment]
        sentence = (
            "MiniPair was trained on images of the sensor nikon_d700 but data.init_args.response says mine: adapt"
        )
        with pytest.raises(InputError, match=sentence) if refuses else nullcontext():
            module.on_predict_start()


def test_a_tile_is_told_what_it_shows(tmp_path: Path) -> None:
    """Fault: every tile was told what lies in all the others."""
    module = fusion_module(tmp_path)
    low = torch.rand(1, 8, 16, 40, generator=torch.Generator().manual_seed(0))
    regions = [Region(Window(0, 0, 64, 64), "an apple"), Region(Window(0, 96, 64, 64), "salt")]
    told = RegionCaption("the whole table", regions)
    batch: dict[str, Any] = {
        "observation": low,
        "multispectral": torch.rand(1, 3, 64, 160),
        "name": ["a"],
        "caption": [told],
    }

    def alone(caption: str, left: int) -> Tensor:
        columns, fine = slice(left, left + 16), slice(4 * left, 4 * left + 64)
        part = {"observation": low[..., columns], "multispectral": batch["multispectral"][..., fine]}
        return module.restore({**batch, **part, "caption": [caption]})

    tiled = module.restore(batch, tile=16)
    torch.testing.assert_close(tiled[..., :48], alone("an apple", 0)[..., :48], rtol=0, atol=1e-6)
    torch.testing.assert_close(tiled[..., -48:], alone("salt", 24)[..., -48:], rtol=0, atol=1e-6)
    assert float((alone("salt", 0) - alone("an apple", 0)).abs().max()) > 1e-4
    whole = module.restore({**batch, "caption": ["the whole table"]})
    torch.testing.assert_close(module.restore(batch), whole, rtol=0, atol=1e-6)
    source = module.with_weights(module.weights())
    torch.testing.assert_close(source.restore(batch, tile=16), tiled, rtol=0, atol=1e-6)


def test_a_network_is_told_a_bicubic_reduction_as_the_blur_that_it_is(tmp_path: Path) -> None:
    network = OwnObjective()
    observation = FusionObservation(4, "bicubic", response="nikon_d700")
    fitted(tmp_path, FusionModule(network), source_data(tmp_path, degradation=observation))
    sensor = PairSensor(6, 1, 4, [[1.0] * 6])
    sensor.observe_by(torch.ones(1, 6), *network.sensors[0][1:])
    cube = torch.rand(1, 6, 24, 28, generator=torch.Generator().manual_seed(0))
    # Up to two pixels from the border the network's zeros beyond it stand against the reflection of the data.
    ours, reduced = sensor.hyperspectral(cube), bicubic_resize(24, 28, 6, 7).apply(cube)
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], reduced[..., 2:-2, 2:-2])
