"""Adapting is fit, test where there are test scenes, and predict where cubes are written: once each, in this order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningDataModule
from torch.utils.data import DataLoader

from callbacks import PredictionWriter
from experiments.configuration.trainer import AdaptingTrainer, validate_within
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


@pytest.mark.parametrize(("epochs", "every", "becomes"), [(1, 4, 1), (4, 4, 4), (9, 4, 4), (-1, 4, 4), (3, 1, 1)])
def test_a_fit_shorter_than_the_distance_of_validations_is_validated_at_its_end(
    epochs: int, every: int, becomes: int, tmp_path: Path
) -> None:
    trainer = Recording(tmp_path)
    trainer.check_val_every_n_epoch, trainer.fit_loop.max_epochs = every, epochs
    validate_within(trainer)
    assert trainer.check_val_every_n_epoch == becomes
