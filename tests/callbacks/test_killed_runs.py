"""kill -9 at any moment of stages, training, checkpoints, preparation and prediction: the next run ends the same.

By default two moments of each, drawn by a seed; twenty of each by `make slow`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from callbacks import PredictionWriter
from datamodules import Folder
from tests.callbacks.prediction.test_prediction_writer import halving
from tests.callbacks.tiny import stages, tiny_data, tiny_module, tiny_trainer, weights_of
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values, write_cube
from tests.killing import contents, killed, moments

Work = Callable[[Path], object]


def adapt(folder: Path) -> None:
    """Both stages, two rounds, a checkpoint after every second step; go on from the last one, if there is one."""
    module, last = tiny_module(folder.parent), folder / "checkpoints" / "last.ckpt"
    saving = ModelCheckpoint(folder / "checkpoints", save_last=True, every_n_train_steps=2)
    callbacks = [*stages(folder / "store", rounds=2, ratio=1), saving]
    trainer = tiny_trainer(folder, callbacks, max_epochs=2, enable_checkpointing=True)
    trainer.fit(module, datamodule=tiny_data(folder.parent), ckpt_path=last if last.exists() else None)
    torch.save(weights_of(module), folder / "weights.pt")


def prepare(folder: Path) -> None:
    """Six scenes into the cache."""
    data = tiny_data(folder, cache=str(folder / "cache"))
    data.cache.remove_remains(age=0.0)
    data.scenes(data.scene_names())


def predict(folder: Path) -> None:
    """Three cubes of three formats, those that are finished left as they are."""
    writer = PredictionWriter(str(folder / "out"), tile=16, pictures=False, resume=True)
    data = Folder(str(folder.parent / "in"), normalisation="scale:2048", wavelengths=CENTRES)
    tiny_trainer(folder.parent, [writer]).predict(halving(), datamodule=data, return_predictions=False)


WORKS: dict[str, tuple[Work, tuple[str, ...]]] = {
    "adapt": (adapt, (".npy", "weights.pt")),
    "prepare": (prepare, (".npy",)),
    "predict": (predict, (".bsq", ".hdr", ".npy", ".mat", ".tif")),
}


def check(name: str, root: Path, number: int) -> None:
    """Kill at so many moments, run again each time, and compare what is left with an uninterrupted run."""
    work, endings = WORKS[name]
    for kind in ("bsq", "tiff", "mat5"):
        write_cube(root / "in", kind, cube_values(height=22, width=35), CENTRES)
    whole = root / "whole"
    whole.mkdir()
    count = killed(work, whole, 0)
    expected = contents(whole, *endings)
    assert count > 20
    assert len(expected) >= 3
    for moment in moments(count, number, seed=5):
        folder = root / "again"
        folder.mkdir()
        assert killed(work, folder, moment) == -1
        assert killed(work, folder, 0) >= 0
        found = contents(folder, *endings)
        assert list(found) == list(expected), moment
        assert [path for path in expected if found[path] != expected[path]] == [], moment
        assert [path for path in folder.rglob(".*") if path.is_file()] == [], moment
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", WORKS)
def test_killed_at_a_few_moments(tmp_path: Path, name: str) -> None:
    check(name, tmp_path, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_killed_at_twenty_moments(tmp_path: Path, name: str) -> None:
    check(name, tmp_path, 20)
