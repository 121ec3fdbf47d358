"""A checkpoint is replaced by a whole one or not at all, whatever stops the writing."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from lightning_modules import CheckpointError, RestorationModule
from lightning_modules.checkpoints import SafeCheckpointIO, read_checkpoint, write_checkpoint
from tests.callbacks.tiny import MiniNetwork, tiny_data, tiny_module

CONTENT = {"state_dict": {"weight": torch.arange(6.0)}, "epoch": 3}


def write_for_ever(path: Path, ready: Connection) -> None:
    """Write checkpoints one over the other, each full of its own number."""
    for number in itertools.count():
        write_checkpoint({"weight": torch.full((1_000_000,), float(number)), "number": number}, path)
        ready.send(number)


def test_what_is_written_is_read_back_without_its_digests_in_the_way(tmp_path: Path) -> None:
    write_checkpoint(CONTENT, tmp_path / "new" / "run.ckpt")
    content = read_checkpoint(tmp_path / "new" / "run.ckpt")
    assert torch.equal(content["state_dict"]["weight"], torch.arange(6.0))
    assert set(content) == {"state_dict", "epoch", "hyperalign_digests"}
    # Written again, it carries the digests of what it holds now.
    write_checkpoint(content | {"epoch": 4}, tmp_path / "new" / "run.ckpt")
    assert read_checkpoint(tmp_path / "new" / "run.ckpt")["epoch"] == 4


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("writing failed. Twice.")])
def test_a_save_that_fails_leaves_the_former_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(CONTENT, path)
    before = path.read_bytes()

    def fails(_: object, file: Any) -> None:  # noqa: ANN401
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fails)
    with pytest.raises(
        CheckpointError, match=r"last\.ckpt cannot be written \(.*\); the one that was there is unchanged"
    ):
        SafeCheckpointIO().save_checkpoint(CONTENT, path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_checkpoint(CONTENT, tmp_path / "file" / "run.ckpt")


def test_a_killed_save_keeps_the_last_good_one_and_the_next_removes_its_remains(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    context = multiprocessing.get_context("fork")
    for delay in (0.0, 0.004, 0.011, 0.018):
        ours, theirs = context.Pipe()
        process = context.Process(target=write_for_ever, args=(path, theirs))
        process.start()
        ours.recv()
        time.sleep(delay)
        process.kill()
        process.join()
        content = read_checkpoint(path)
        assert bool((content["weight"] == content["number"]).all())
    write_checkpoint(CONTENT, path)
    assert [one.name for one in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_fit_writes_its_checkpoints_in_this_way(tmp_path: Path) -> None:
    trainer = Trainer(
        accelerator="cpu",
        max_steps=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    data = tiny_data(tmp_path, role="source", training=["amber"], validation=[], observed=None, unobserved=None)
    trainer.fit(tiny_module(tmp_path, source=False), datamodule=data)
    path = Path(trainer.checkpoint_callback.best_model_path)  # type: ignore[union-attr]
    assert "state_dict.network.convolution.weight" in read_checkpoint(path)["hyperalign_digests"]["tensors"]
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_weights_alone_do_not_resume_a_fit(tmp_path: Path) -> None:
    module = RestorationModule(MiniNetwork())
    content = {"state_dict": module.state_dict(), "pytorch-lightning_version": "2.6.6"}
    write_checkpoint(content, tmp_path / "weights.ckpt")
    data = tiny_data(tmp_path, role="source", training=["amber"], validation=[], observed=None, unobserved=None)
    trainer = Trainer(accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False)
    with pytest.raises(CheckpointError, match=r"weights alone, so no fit can go on from it; give it as"):
        trainer.fit(module, datamodule=data, ckpt_path=str(tmp_path / "weights.ckpt"), weights_only=True)
