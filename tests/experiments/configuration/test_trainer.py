"""Adapting is fit, test where there are test scenes, and predict where cubes are written: once each, in this order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from callbacks import PredictionWriter
from experiments.configuration.trainer import AdaptingTrainer, end_with_last_epoch
from tests.experiments.fakes import TinyNetwork, TinyRestorer, TinyScenes


class Recording(AdaptingTrainer):
    """Says what it was asked for."""

    def __init__(self, folder: Path, *callbacks: Callback) -> None:
        super().__init__(
            accelerator="cpu", logger=False, enable_checkpointing=False, default_root_dir=folder,
            enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks),
        )  # fmt: skip
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def fit(self, model: Any, **options: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        self.asked.append(("fit", options))

    def test(self, model: Any, **options: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        self.asked.append(("test", options))

    def predict(self, model: Any, **options: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        self.asked.append(("predict", options))


class TrainingAlone(LightningDataModule):
    """Data without test scenes."""

    def train_dataloader(self) -> DataLoader[Any]:
        return TinyScenes().train_dataloader()


def test_test_scenes_are_tested_and_cubes_are_written_where_asked(tmp_path: Path) -> None:
    writer = PredictionWriter(str(tmp_path / "cubes"))
    trainer, data = Recording(tmp_path, writer), TinyScenes()
    assert trainer.writes_cubes
    trainer.adapt(TinyRestorer(TinyNetwork()), data, ckpt_path="last.ckpt", weights_only=True, verbose=False)
    assert trainer.asked == [
        ("fit", {"datamodule": data, "ckpt_path": "last.ckpt", "weights_only": True}),
        ("test", {"datamodule": data, "verbose": False}),
        ("predict", {"datamodule": data, "return_predictions": False}),
    ]


@pytest.mark.parametrize("data", [TrainingAlone(), None])
def test_without_test_scenes_and_a_folder_it_is_a_fit(tmp_path: Path, data: LightningDataModule | None) -> None:
    trainer = Recording(tmp_path, PredictionWriter(None))
    assert not trainer.writes_cubes
    trainer.adapt(TinyRestorer(TinyNetwork()), data)
    assert [name for name, _ in trainer.asked] == ["fit"]


class Scored(TinyRestorer):
    """Is validated, and remembers after which epochs."""

    def __init__(self) -> None:
        super().__init__(TinyNetwork())
        self.validated: list[int] = []

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        if not index:
            self.validated.append(self.current_epoch + 1)
        self.log("val/psnr", -self.global_step)  # ever worse, so that the best is not the last


class ValidatedScenes(TinyScenes):
    """Two batches to train on, two to validate on."""

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return self.train_dataloader()


@pytest.mark.parametrize(
    ("options", "validated", "steps"),
    [
        ({"max_epochs": 1, "check_val_every_n_epoch": 4}, [1], 2),
        ({"max_epochs": 4, "check_val_every_n_epoch": 4}, [4], 8),
        ({"max_epochs": 9, "check_val_every_n_epoch": 4}, [4, 8, 9], 18),
        ({"max_epochs": 3, "check_val_every_n_epoch": 1}, [1, 2, 3], 6),
        ({"max_epochs": -1, "max_steps": 11, "check_val_every_n_epoch": 2}, [2, 4], 11),
        ({"max_epochs": 9, "max_steps": 11, "check_val_every_n_epoch": 4}, [4], 11),
        ({"max_epochs": 3, "limit_val_batches": 0, "check_val_every_n_epoch": 2}, [], 6),
    ],
)
def test_the_last_checkpoint_holds_the_weights_of_the_last_step(
    options: dict[str, Any], validated: list[int], steps: int, tmp_path: Path
) -> None:
    saving = ModelCheckpoint(tmp_path / "kept", monitor="val/psnr", mode="max", save_last=True)
    trainer = AdaptingTrainer(
        accelerator="cpu", logger=False, default_root_dir=tmp_path, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, callbacks=[saving], **options,
    )  # fmt: skip
    end_with_last_epoch(trainer)
    module = Scored()
    trainer.fit(module, ValidatedScenes())
    kept = torch.load(tmp_path / "kept" / "last.ckpt", weights_only=True)
    assert module.validated == validated
    assert kept["global_step"] == trainer.global_step == steps
    for name, value in module.state_dict().items():
        assert torch.equal(kept["state_dict"][name], value)
    assert trainer.check_val_every_n_epoch == options["check_val_every_n_epoch"]


def test_averaged_weights_are_in_the_last_checkpoint_and_beside_them_those_to_go_on_from(tmp_path: Path) -> None:
    saving = ModelCheckpoint(tmp_path / "kept", monitor="val/psnr", mode="max", save_last=True)
    trainer = AdaptingTrainer(
        accelerator="cpu", logger=False, default_root_dir=tmp_path, enable_progress_bar=False, max_epochs=9,
        enable_model_summary=False, num_sanity_val_steps=0, max_steps=11,
        check_val_every_n_epoch=2, callbacks=[saving, EMAWeightAveraging(decay=0.9)],
    )  # fmt: skip
    end_with_last_epoch(trainer)
    module = Scored()
    trainer.fit(module, ValidatedScenes())
    kept = torch.load(tmp_path / "kept" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 11
    for name, value in module.state_dict().items():
        assert torch.equal(kept["state_dict"][name], value)
        assert not torch.equal(kept["current_model_state"][name], value)
