"""A schedule is as long as the fit, however it is cut: epochs, patches, ranks, accumulation, rounds, limits."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from torch.utils.data import DataLoader

from hyperalign.errors import HyperalignError
from lightning_modules import OneCycle, RestorationModule
from lightning_modules.schedules.training_length import training_length
from tests.callbacks.tiny import MiniNetwork, source_checkpoint, stages, tiny_data, tiny_trainer


class Rates(Callback):
    """Notes the learning rate of every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:  # noqa: ANN401
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


def cycling(folder: Path) -> RestorationModule:
    return RestorationModule(
        MiniNetwork(),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        scheduler=lambda optimizer: OneCycle(optimizer, pct_start=0.25),
        source=source_checkpoint(folder),
    )


def source(folder: Path, **changes: Any) -> Any:  # noqa: ANN401
    scenes = {"role": "source", "training": ["amber"], "validation": [], "observed": None, "unobserved": None}
    return tiny_data(folder, **scenes, **changes)


@pytest.mark.parametrize(
    ("settings", "patches", "steps"),
    [
        ({"max_epochs": 5}, 16, 20),
        ({"max_epochs": 3}, 5, 6),
        ({"max_epochs": 2, "accumulate_grad_batches": 3}, 16, 4),
        ({"max_epochs": 2, "limit_train_batches": 3}, 16, 6),
        ({"max_epochs": 2, "limit_train_batches": 0.5}, 16, 4),
        ({"max_epochs": 4, "max_steps": 7}, 16, 7),
        ({"max_epochs": -1, "max_steps": 9}, 16, 9),
        ({"max_epochs": 3, "callbacks": [GradientAccumulationScheduler({0: 1, 1: 2})]}, 16, 8),
        ({"fast_dev_run": True}, 16, 1),
    ],
)
def test_the_whole_cycle_is_run(tmp_path: Path, settings: dict[str, Any], patches: int, steps: int) -> None:
    noted = Rates()
    settings = settings | {"callbacks": [noted, *settings.get("callbacks", [])]}
    trainer = tiny_trainer(tmp_path, **settings)
    module = cycling(tmp_path)
    trainer.fit(module, datamodule=source(tmp_path, patches_per_epoch=patches))
    assert trainer.global_step == steps
    schedule: Any = trainer.lr_scheduler_configs[0].scheduler
    assert schedule.total_steps == steps
    assert noted.rates[0] == pytest.approx(1e-3 if steps == 1 else 4e-5, rel=1)
    if steps > 2:
        assert max(noted.rates) > 7e-4
        assert noted.rates[-1] < 0.3 * max(noted.rates)


def test_the_length_is_lightnings_own_estimate_where_there_is_a_loader(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [], max_epochs=3, accumulate_grad_batches=2)
    trainer.fit(cycling(tmp_path), datamodule=source(tmp_path))
    assert training_length(trainer, "step") == trainer.estimated_stepping_batches == 6
    assert training_length(trainer, "epoch") == 3
    assert training_length(trainer, "step", automatic=False) == 12


def test_loaders_without_a_datamodule_are_counted(tmp_path: Path) -> None:
    cube = torch.rand(8, 16, 16)
    batches: list[Any] = [{"observation": cube, "target": cube, "name": "x"} for _ in range(6)]
    trainer = tiny_trainer(tmp_path, [], max_epochs=2)
    trainer.fit(cycling(tmp_path), DataLoader(batches, batch_size=2))  # type: ignore[arg-type]
    schedule: Any = trainer.lr_scheduler_configs[0].scheduler
    assert schedule.total_steps == 6


@pytest.mark.parametrize(("patches", "ranks"), [(16, 1), (16, 2), (17, 2), (3, 4), (256, 3)])
def test_batches_are_counted_as_the_ranks_are_dealt_them(tmp_path: Path, patches: int, ranks: int) -> None:
    data = source(tmp_path, patches_per_epoch=patches)
    share = math.ceil(patches / ranks)
    assert data.training_batches(ranks) == math.ceil(share / 4)


def test_every_round_of_an_adaptation_has_a_cycle_of_its_own(tmp_path: Path) -> None:
    """Five epochs in two rounds: eight steps, then twelve."""
    noted = Rates()
    trainer = tiny_trainer(tmp_path, [*stages(tmp_path / "store", rounds=2, ratio=1), noted], max_epochs=5)
    trainer.fit(cycling(tmp_path), datamodule=tiny_data(tmp_path))
    first, second = noted.rates[:8], noted.rates[8:]
    assert len(second) == 12
    for part in (first, second):
        assert part[0] == pytest.approx(4e-5)
        assert max(part) == pytest.approx(1e-3, rel=0.2)
        assert part[-1] < 1.5e-4


def test_a_fit_without_end_asks_for_one(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [], max_epochs=-1, max_time="00:00:01:00")
    with pytest.raises(HyperalignError, match=r"which has no end: give trainer\.max_epochs"):
        trainer.fit(cycling(tmp_path), datamodule=source(tmp_path))
    with pytest.raises(HyperalignError, match="and there is none: fit with one"):
        cycling(tmp_path).configure_optimizers()


def test_a_resumed_fit_of_more_epochs_goes_on_in_the_longer_schedule(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = tiny_trainer(tmp_path, [], max_epochs=2)
    trainer.fit(cycling(tmp_path), datamodule=source(tmp_path))
    trainer.save_checkpoint(tmp_path / "two.ckpt")
    whole, rest = Rates(), Rates()
    tiny_trainer(tmp_path, [whole], max_epochs=3).fit(cycling(tmp_path), datamodule=source(tmp_path))
    again = tiny_trainer(tmp_path, [rest], max_epochs=3)
    again.fit(cycling(tmp_path), datamodule=source(tmp_path), ckpt_path=str(tmp_path / "two.ckpt"))
    assert "has 8 steps and this fit 12: the learning rate goes on at step 8 of the longer" in caplog.text
    assert rest.rates == pytest.approx(whole.rates[8:], rel=1e-9)


def test_a_typed_schedule_that_ends_too_soon_is_one_sentence(tmp_path: Path) -> None:
    module = cycling(tmp_path)
    module.scheduler = lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=3)
    with pytest.raises(HyperalignError, match="The schedule OneCycleLR ended before the fit"):
        tiny_trainer(tmp_path, [], max_epochs=2).fit(module, datamodule=source(tmp_path))
