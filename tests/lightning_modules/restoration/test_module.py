"""The restoration module in real fits, tests and predictions on small cubes."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningDataModule, Trainer
from lightning.pytorch.cli import LightningCLI, ReduceLROnPlateau
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_modules import (
    SERT,
    CheckpointError,
    MetricProtocol,
    RestorationModule,
    UpsampledInput,
    load_weights,
    read_weights,
    weights_digest,
)
from lightning_modules.restorer.evaluation import Tested

BANDS = 3
COMPACT: dict[str, Any] = {"dim": 16, "window_sizes": (8,), "depths": (1,), "num_heads": (2,), "split_sizes": (1,)}


class Pairs(LightningDataModule):
    """Noisy cubes and their clean targets, two test sets; one noise level a scene."""

    test_set_names = ("observed", "unobserved")

    def __init__(self, bands: int = BANDS, scale: int = 1, spoilt: float = 0.0, spoilt_scene: int = -1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.items: list[dict[str, Any]] = []
        for index in range(4):
            target = torch.rand(bands, 16, 16, generator=generator)
            observation = target + 0.1 * (index + 1) * torch.randn(target.shape, generator=generator)
            observation = observation[:, ::scale, ::scale].clone()
            if index == spoilt_scene:
                observation[0, 0, 0] = spoilt
            self.items.append({"observation": observation, "target": target, "name": f"scene{index}"})

    def loader(self, items: list[dict[str, Any]], size: int = 1) -> DataLoader[Any]:
        """Batches in order."""
        return DataLoader(items, batch_size=size)  # type: ignore[arg-type]

    def train_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.items, 2)

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.items, 3)

    def test_dataloader(self) -> list[DataLoader[Any]]:
        return [self.loader(self.items[:3], 2), self.loader(self.items[3:])]

    def predict_dataloader(self) -> DataLoader[Any]:
        return self.loader([{key: item[key] for key in ("observation", "name")} for item in self.items])


def trainer(folder: Path, epochs: int = 1, **settings: Any) -> Trainer:  # noqa: ANN401 - passed on to Lightning
    """A quiet trainer on one CPU."""
    settings.setdefault("enable_checkpointing", False)
    return Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


def compact(seed: int = 0) -> SERT:
    """A tiny SERT."""
    torch.manual_seed(seed)
    return SERT(BANDS, **COMPACT)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkpoint of source-trained weights, written by a fit."""
    run = trainer(tmp_path)
    run.fit(RestorationModule(compact(1)), datamodule=Pairs())
    run.save_checkpoint(tmp_path / "source.ckpt")
    return tmp_path / "source.ckpt"


def test_fit_lowers_the_loss_and_logs_means_over_scenes(tmp_path: Path) -> None:
    module = RestorationModule(compact(), optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-3))
    data, run = Pairs(), trainer(tmp_path, epochs=30)
    before = trainer(tmp_path).validate(module, datamodule=data, verbose=False)[0]["val/psnr"]
    run.fit(module, datamodule=data)
    assert run.callback_metrics["val/psnr"] > before + 1
    module.eval()
    with torch.no_grad():
        scores = [
            MetricProtocol().evaluate(module(item["observation"][None]), item["target"][None]) for item in data.items
        ]
    for name in ("psnr", "ssim", "sam", "ergas"):
        mean = sum(one[name] for one in scores) / len(scores)
        assert float(run.callback_metrics[f"val/{name}"]) == pytest.approx(mean, rel=1e-5)
    assert 0 < float(run.callback_metrics["train/loss"]) < 0.3


def test_test_names_the_sets_and_returns_cubes_and_scores(tmp_path: Path) -> None:
    class Collected(RestorationModule):
        outputs: list[Tested]

        def test_step(self, *arguments: Any, **named: Any) -> Tested:  # noqa: ANN401
            self.outputs.append(super().test_step(*arguments, **named))
            return self.outputs[-1]

    module, data = Collected(nn.Identity(), protocol=MetricProtocol(psnr="global")), Pairs()
    module.outputs = []
    logged = {k: v for part in trainer(tmp_path).test(module, datamodule=data, verbose=False) for k, v in part.items()}
    scores = [score for output in module.outputs for score in output["scores"]]
    expected = [module.protocol.evaluate(item["observation"], item["target"]) for item in data.items]
    assert scores == [pytest.approx(one, rel=1e-9) for one in expected]
    assert [tuple(output["restored"].shape) for output in module.outputs] == [
        (2, 3, 16, 16),
        (1, 3, 16, 16),
        (1, 3, 16, 16),
    ]
    assert logged["test/observed/psnr"] == pytest.approx(sum(one["psnr"] for one in expected[:3]) / 3, rel=1e-5)
    assert logged["test/unobserved/sam"] == pytest.approx(expected[3]["sam"], rel=1e-5)
    assert set(logged) == {f"test/{s}/{m}" for s in Pairs.test_set_names for m in ("psnr", "ssim", "sam", "ergas")}


def test_predict_returns_the_restored_cubes(tmp_path: Path) -> None:
    module, data = RestorationModule(compact()), Pairs()
    restored = trainer(tmp_path).predict(module, datamodule=data)
    assert restored is not None
    with torch.no_grad():
        assert torch.allclose(torch.as_tensor(restored[2]), module(data.items[2]["observation"][None]))


def test_optimiser_and_schedule_are_injected() -> None:
    module = RestorationModule(
        compact(),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.5),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 7),
        scheduler_interval="epoch",
    )
    configured: Any = module.configure_optimizers()
    assert isinstance(configured["optimizer"], torch.optim.SGD)
    assert configured["lr_scheduler"]["interval"] == "epoch"
    assert configured["lr_scheduler"]["scheduler"].step_size == 7
    default: Any = RestorationModule(compact()).configure_optimizers()
    assert isinstance(default, torch.optim.Adam)
    assert default.defaults["lr"] == 1e-4
    assert isinstance(RestorationModule(compact(), loss=nn.MSELoss()).loss, nn.MSELoss)


def test_a_schedule_may_wait_on_a_metric(tmp_path: Path) -> None:
    """With nothing learnt the score stays, so that the learning rate is halved after every epoch without a rise."""
    module = RestorationModule(
        nn.Conv2d(BANDS, BANDS, 1),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-6),
        scheduler=lambda optimizer: ReduceLROnPlateau(optimizer, "val/psnr", mode="max", factor=0.5, patience=0),
        scheduler_interval="epoch",
    )
    run = trainer(tmp_path, epochs=3)
    run.fit(module, datamodule=Pairs())
    assert run.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.25e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_fit(tmp_path: Path, value: float) -> None:
    run = trainer(tmp_path, num_sanity_val_steps=0, limit_val_batches=0)
    sentence = r"Training loss is (nan|inf) at step 1, epoch 0, batch 1, scenes scene2, scene3; lower the learning rate"
    with pytest.raises(FloatingPointError, match=sentence):
        run.fit(RestorationModule(compact()), datamodule=Pairs(spoilt=value, spoilt_scene=3))


def test_observations_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    data = Pairs(spoilt=math.nan, spoilt_scene=1)
    with pytest.raises(ValueError, match="The observation of scene1 holds NaN or infinite values; repair or leave out"):
        trainer(tmp_path).predict(RestorationModule(compact()), datamodule=data)
    with pytest.raises(ValueError, match="The observation of scene1 holds NaN or infinite values"):
        trainer(tmp_path).test(RestorationModule(compact()), datamodule=data, verbose=False)


def test_wrong_band_count_gives_a_sentence(tmp_path: Path) -> None:
    for network in (SERT(5, **COMPACT), UpsampledInput(SERT(5, **COMPACT), scale=1)):
        with pytest.raises(
            ValueError, match=r"Scenes scene0, scene1 have 3 bands but .*SERT.* was built for 5; set the"
        ):
            trainer(tmp_path, num_sanity_val_steps=0).fit(RestorationModule(network), datamodule=Pairs())


def test_wrong_size_gives_a_sentence_and_upsampled_input_works(tmp_path: Path) -> None:
    sentence = r"SERT restored \[2, 3, 4, 4\] where the target is \[2, 3, 16, 16\]; for super-resolution wrap"
    with pytest.raises(ValueError, match=sentence):
        trainer(tmp_path).test(RestorationModule(compact()), datamodule=Pairs(scale=4), verbose=False)
    scores = trainer(tmp_path).test(
        RestorationModule(UpsampledInput(compact(), scale=4)), datamodule=Pairs(scale=4), verbose=False
    )
    assert all(math.isfinite(value) for part in scores for value in part.values())


def test_checkpoints_hold_no_code(tmp_path: Path) -> None:
    module = RestorationModule(compact(), loss=nn.MSELoss(), scheduler=lambda o: torch.optim.lr_scheduler.StepLR(o, 1))
    run = trainer(tmp_path, enable_checkpointing=True)
    run.fit(module, datamodule=Pairs())
    path = getattr(run.checkpoint_callback, "best_model_path", "")
    content = torch.load(path, weights_only=True)
    identity = content["hyperalign"]
    assert (identity["network"], identity["source_digest"], identity["task"]) == ("SERT", None, None)
    assert identity["module"]["init_args"]["network"]["init_args"]["input_channels"] == BANDS
    assert "hyper_parameters" not in content
    assert weights_digest(read_weights(path)) == weights_digest(module.network)
    loaded = RestorationModule.load_from_checkpoint(path, network=compact(5), weights_only=True)
    assert weights_digest(loaded) == weights_digest(module)


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_checkpoints_of_the_command_line_hold_no_code(tmp_path: Path) -> None:
    network = {"class_path": "lightning_modules.SERT", "init_args": {"input_channels": BANDS, **COMPACT}}
    cli = LightningCLI(
        RestorationModule,
        Pairs,
        run=False,
        save_config_callback=None,
        auto_configure_optimizers=False,
        args={
            "model": {
                "network": network,
                "loss": {"class_path": "torch.nn.MSELoss"},
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}},
                "scheduler": {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 1}},
                "protocol": {"class_path": "lightning_modules.MetricProtocol", "init_args": {"clip": True}},
            },
            "seed_everything": 0,
            "trainer": {
                "default_root_dir": str(tmp_path),
                "accelerator": "cpu",
                "max_epochs": 1,
                "logger": False,
                "enable_progress_bar": False,
            },
        },
    )
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    cli.trainer.save_checkpoint(tmp_path / "cli.ckpt")
    assert isinstance(cli.model.optimizers(use_pl_optimizer=False), torch.optim.AdamW)
    assert cli.model.protocol.clip == "restored"
    fresh = compact(9)
    load_weights(fresh, tmp_path / "cli.ckpt")
    assert weights_digest(fresh) == weights_digest(cli.model.network)


def test_source_weights_start_a_fit_and_a_test_but_not_a_test_after_a_fit(tmp_path: Path, source: Path) -> None:
    weights = read_weights(source)
    module = RestorationModule(compact(2), source=str(source))
    trainer(tmp_path).test(module, datamodule=Pairs(), verbose=False)
    assert weights_digest(module.network) == weights_digest(weights)
    trainer(tmp_path).fit(module, datamodule=Pairs())
    adapted = weights_digest(module.network)
    assert adapted != weights_digest(weights)
    trainer(tmp_path).test(module, datamodule=Pairs(), verbose=False)
    assert weights_digest(module.network) == adapted
    assert weights_digest(module.source_network()) == weights_digest(weights)


def test_a_resumed_fit_keeps_the_source_weights_apart(tmp_path: Path, source: Path) -> None:
    first = RestorationModule(compact(2), source=str(source))
    run = trainer(tmp_path)
    run.fit(first, datamodule=Pairs())
    run.save_checkpoint(tmp_path / "adapted.ckpt")
    resumed = RestorationModule(compact(3), source=str(source))
    trainer(tmp_path, epochs=2).fit(resumed, datamodule=Pairs(), ckpt_path=str(tmp_path / "adapted.ckpt"))
    network = resumed.source_network()
    assert weights_digest(network) == weights_digest(read_weights(source))
    assert weights_digest(resumed.network) != weights_digest(network)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.requires_grad for parameter in resumed.network.parameters())
    content = torch.load(tmp_path / "adapted.ckpt", weights_only=True)
    assert content["hyperalign"]["source_digest"] == weights_digest(read_weights(source))


def test_a_module_restores_with_its_source_without_a_trainer(source: Path) -> None:
    module, own = RestorationModule(compact(4), source=str(source)), compact(1)
    own.load_state_dict(read_weights(source))
    observation = Pairs().items[0]["observation"][None]
    with torch.no_grad():
        expected = own.eval()(observation)
    assert torch.equal(module.restore({"observation": observation, "name": ["a"]}), expected)
    assert torch.equal(module.eval()(observation), expected)
    assert weights_digest(module.source_network()) == weights_digest(read_weights(source))


def test_weights_given_after_the_source_stay(tmp_path: Path, source: Path) -> None:
    module = RestorationModule(compact(4), source=str(source))
    module.network.load_state_dict(compact(5).state_dict())
    trainer(tmp_path).test(module, datamodule=Pairs(), verbose=False)
    assert weights_digest(module.network) == weights_digest(compact(5))
    assert weights_digest(module.source_network()) == weights_digest(read_weights(source))


def test_without_a_source_there_is_no_source_network() -> None:
    with pytest.raises(ValueError, match=r"has no source weights; set model\.init_args\.source"):
        RestorationModule(compact()).source_network()
    assert RestorationModule(compact()).source_restorer() is None


def resume(tmp_path: Path, module: RestorationModule, path: Path) -> None:
    """Test a module from a checkpoint."""
    trainer(tmp_path).test(module, datamodule=Pairs(), ckpt_path=str(path), verbose=False, weights_only=True)


def test_checkpoints_of_other_networks_are_refused(tmp_path: Path, source: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"SERT weights in .*source.ckpt do not fit UpsampledInput\(SERT\); choose"
    ):
        resume(tmp_path, RestorationModule(UpsampledInput(compact(), scale=1)), source)
    with pytest.raises(CheckpointError, match=r"SERT weights in .*source.ckpt do not fit Conv2d; choose that network"):
        trainer(tmp_path).test(RestorationModule(nn.Conv2d(3, 3, 1), source=str(source)), datamodule=Pairs())
    wider = SERT(BANDS, **(COMPACT | {"dim": 32}))
    with pytest.raises(
        CheckpointError,
        match=r"source.ckpt do not fit SERT: conv_first.weight is \[16, 3, 3, 3\] there and \[32, 3, 3, 3\] here",
    ):
        resume(tmp_path, RestorationModule(wider), source)


def test_bad_checkpoints_given_to_the_trainer_give_a_sentence(tmp_path: Path, source: Path) -> None:
    bad = tmp_path / "bad.ckpt"
    with pytest.raises(FileNotFoundError, match=r"bad\.ckpt does not exist"):
        RestorationModule(compact(), source=str(bad)).source_network()
    bad.write_bytes(source.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"bad\.ckpt is truncated \(2000 bytes\)"):
        resume(tmp_path, RestorationModule(compact()), bad)
    torch.save(torch.load(source, weights_only=True) | {"hyper_parameters": {"network": compact()}}, bad)
    with pytest.raises(CheckpointError, match=r"bad\.ckpt holds pickled code \(lightning_modules\..*SERT\)"):
        resume(tmp_path, RestorationModule(compact()), bad)


def test_other_source_weights_are_refused(tmp_path: Path, source: Path) -> None:
    run = trainer(tmp_path)
    run.fit(RestorationModule(compact(2), source=str(source)), datamodule=Pairs())
    run.save_checkpoint(tmp_path / "adapted.ckpt")
    torch.save(compact(7).state_dict(), tmp_path / "other.pt")
    module = RestorationModule(compact(2), source=str(tmp_path / "other.pt"))
    with pytest.raises(
        CheckpointError, match=r"in .*adapted.ckpt were adapted from other source weights than .*other.pt; set model"
    ):
        resume(tmp_path, module, tmp_path / "adapted.ckpt")
    resume(tmp_path, RestorationModule(compact(2)), tmp_path / "adapted.ckpt")


def test_a_source_that_was_adapted_itself_may_be_tested_beside_itself(tmp_path: Path, source: Path) -> None:
    run = trainer(tmp_path)
    run.fit(RestorationModule(compact(2), source=str(source)), datamodule=Pairs())
    run.save_checkpoint(tmp_path / "adapted.ckpt")
    resume(tmp_path, RestorationModule(compact(2), source=str(tmp_path / "adapted.ckpt")), tmp_path / "adapted.ckpt")


def test_training_sees_observation_and_target_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Recorded(nn.Module):
        def forward(self, restored: Tensor, target: Tensor) -> Tensor:
            seen.append((restored, target))
            return (restored - target).abs().mean()

    module = RestorationModule(nn.Conv2d(3, 3, 1), loss=Recorded())
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    batch = {"observation": torch.rand(2, 3, 8, 8), "target": torch.rand(2, 3, 8, 8), "name": ["a", "b"]}
    loss = module.training_step(batch, 0)
    assert torch.equal(seen[0][0], module.network(batch["observation"]))
    assert seen[0][1] is batch["target"]
    assert loss.requires_grad


def test_scenes_are_restored_in_tiles_where_asked_but_trained_on_whole_patches(tmp_path: Path) -> None:
    sizes: list[tuple[int, ...]] = []

    class Noting(nn.Conv2d):
        def forward(self, cube: Tensor) -> Tensor:
            sizes.append(tuple(cube.shape))
            return super().forward(cube)

    class LargerPairs(Pairs):
        def __init__(self) -> None:
            super().__init__()
            self.items = [item | {k: item[k].tile(2, 2) for k in ("observation", "target")} for item in self.items]

    module, data = RestorationModule(Noting(BANDS, BANDS, 1), tile=20), LargerPairs()
    tiled = trainer(tmp_path).test(module, datamodule=data, verbose=False)
    assert set(sizes) == {(1, BANDS, 20, 20), (2, BANDS, 20, 20)}
    assert len(sizes) == 3 * 4
    module.tile = None
    assert tiled == [pytest.approx(one) for one in trainer(tmp_path).test(module, datamodule=data, verbose=False)]
    module.tile = 20
    sizes.clear()
    trainer(tmp_path, limit_val_batches=0).fit(module, datamodule=data)
    assert set(sizes) == {(2, BANDS, 32, 32)}


def test_a_tile_too_small_gives_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"^RestorationModule got tile=8: give at least 16 pixels, or null for whole"):
        RestorationModule(nn.Identity(), tile=8)


def test_a_copy_shares_what_makes_the_optimiser_and_nothing_that_learns() -> None:
    class Maker:
        """Holds what cannot be copied, as a maker from a config does."""

        def __init__(self) -> None:
            self.held = (number for number in range(3))

        def __call__(self, parameters: object) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, lr=1e-3)  # type: ignore[arg-type]

    module = RestorationModule(nn.Conv2d(2, 2, 1), optimizer=Maker())
    copied = copy.deepcopy(module)
    assert copied.optimizer is module.optimizer
    assert copied.network is not module.network
    assert torch.equal(copied.network.weight, module.network.weight)  # type: ignore[arg-type]
    with torch.no_grad():
        copied.network.weight.add_(1)  # type: ignore[operator]
    assert not torch.equal(copied.network.weight, module.network.weight)  # type: ignore[arg-type]
