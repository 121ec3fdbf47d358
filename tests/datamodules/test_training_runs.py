"""The data modules inside a Trainer: epochs, workers, resuming, scenes exchanged while fitting."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from datamodules import CAVE, MappedScene
from datamodules.sampling.batches import Batch
from tests.datamodules.fake_cave import MakeCave


class Listener(LightningModule):
    """A module with one weight that notes what it is trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.heard: dict[int, list[float]] = {}
        self.names: dict[int, set[str]] = {}

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        self.heard.setdefault(self.current_epoch, []).extend(batch["observation"].sum((1, 2, 3)).tolist())
        self.names.setdefault(self.current_epoch, set()).update(batch["name"])
        return self.weight * batch["observation"].mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _trainer(folder: Path, epochs: int, callbacks: list[Callback] | None = None) -> Trainer:
    settings: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        enable_checkpointing=False,
        callbacks=callbacks,
        **settings,
    )


def _source(root: Path, workers: int) -> CAVE:
    return CAVE(
        str(root),
        split="all",
        cache=str(root.parent / "cache"),
        patch_size=8,
        patches_per_epoch=10,
        batch_size=4,
        num_workers=workers,
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_fit_sees_the_patches_of_an_unbroken_one(make_cave: MakeCave, tmp_path: Path, workers: int) -> None:
    root = make_cave(["balloons", "cd"])
    unbroken, first, second = Listener(), Listener(), Listener()
    _trainer(tmp_path, 3).fit(unbroken, _source(root, 0))
    trainer = _trainer(tmp_path, 2)
    trainer.fit(first, _source(root, workers))
    trainer.save_checkpoint(tmp_path / "two.ckpt")
    _trainer(tmp_path, 3).fit(second, _source(root, workers), ckpt_path=tmp_path / "two.ckpt")
    assert len({value for values in unbroken.heard.values() for value in values}) == 30
    assert first.heard | second.heard == unbroken.heard
    assert list(second.heard) == [2]


class Exchange(Callback):
    """Gives the data module other scenes after the first epoch."""

    def __init__(self, scenes: list[MappedScene]) -> None:
        self.scenes = scenes

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.datamodule.use_training_scenes(self.scenes[:1])  # type: ignore[attr-defined]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.datamodule.use_training_scenes(self.scenes[1:])  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [0, 1])
def test_scenes_exchanged_by_a_callback_count_from_the_next_epoch(
    make_cave: MakeCave, tmp_path: Path, workers: int
) -> None:
    root = make_cave(["balloons", "cd"])
    data = CAVE(
        str(root),
        split="all",
        role="target",
        cache=str(tmp_path / "cache"),
        patch_size=8,
        patches_per_epoch=6,
        num_workers=workers,
    )
    scenes = []
    for name, value in [("first", 0.2), ("second", 0.6), ("third", 0.7)]:
        np.save(tmp_path / f"{name}.npy", np.full((31, 8, 8), value, np.float32))
        scenes.append(MappedScene(name, tmp_path / f"{name}.npy", data.wavelengths))
    module = Listener()
    _trainer(tmp_path, 2, [Exchange(scenes)]).fit(module, data)
    assert module.names == {0: {"first"}, 1: {"second", "third"}}


@pytest.mark.filterwarnings("ignore")
def test_a_target_without_proxies_ends_the_fit_with_its_sentence(make_cave: MakeCave, tmp_path: Path) -> None:
    data = CAVE(str(make_cave(["cd"])), split="all", role="target", cache=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="CAVE in the role target has no training scenes"):
        _trainer(tmp_path, 1).fit(Listener(), data)
