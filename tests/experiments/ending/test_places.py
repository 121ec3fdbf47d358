"""What a finished run left: the best checkpoint or the last, the table, the pictures, the store, the restored cubes."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from callbacks import GainWithoutTruth, Pictures, PredictionWriter, ProxyGeneration, ResultsTable
from experiments.ending.places import checkpoint_of, places_of


def trainer_of(*callbacks: Callback) -> Trainer:
    return Trainer(
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=any(isinstance(one, ModelCheckpoint) for one in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@pytest.mark.parametrize(
    ("monitor", "best", "last", "expected"),
    [
        (None, "best", "last", "last"),
        (None, "best", "", "best"),
        (None, "best", "gone", "best"),
        ("val/psnr", "best", "last", "best"),
        ("val/psnr", "", "last", None),
        (None, "gone", "gone", None),
    ],
)
def test_the_checkpoint_to_go_on_with(
    tmp_path: Path, monitor: str | None, best: str, last: str, expected: str | None
) -> None:
    for name in ("best", "last"):
        (tmp_path / name).write_text("weights")
    keeper = ModelCheckpoint(monitor=monitor)
    keeper.best_model_path, keeper.last_model_path = (str(tmp_path / name) if name else "" for name in (best, last))
    found = checkpoint_of(trainer_of(keeper))
    assert found == (tmp_path / expected if expected else None)


def test_without_a_keeper_of_checkpoints_there_is_none() -> None:
    assert checkpoint_of(trainer_of()) is None
    assert places_of(trainer_of(), True) == {}


def test_a_run_names_what_it_left_and_nothing_else(tmp_path: Path) -> None:
    keeper, table, pictures = ModelCheckpoint(), ResultsTable(), Pictures()
    keeper.last_model_path = str(tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt").write_text("weights")
    stages = ProxyGeneration(store=str(tmp_path / "store"))
    gain = GainWithoutTruth()
    trainer = trainer_of(keeper, table, gain, pictures, stages, PredictionWriter(str(tmp_path / "out")))
    trained = {"checkpoint": tmp_path / "last.ckpt", "store": tmp_path / "store"}
    assert places_of(trainer, True) == trained | {"restored cubes": tmp_path / "out"}
    table.written, pictures.root = tmp_path / "results.md", tmp_path / "pictures"
    assert places_of(trainer, False) == {"table": tmp_path / "results.md", "restored cubes": tmp_path / "out"}
    pictures.root.mkdir()
    gain.written = tmp_path / "gain.md"
    assert places_of(trainer, False) == {
        "table": tmp_path / "results.md",
        "estimated gain": tmp_path / "gain.md",
        "pictures": tmp_path / "pictures",
        "restored cubes": tmp_path / "out",
    }
