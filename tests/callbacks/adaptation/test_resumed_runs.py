"""Resumed runs end with the bits of uninterrupted ones, with everything at once: rounds, averages, workers, ranks."""

from __future__ import annotations

import multiprocessing
import os
import socket
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from callbacks import SourceAveraging
from tests.callbacks.tiny import stages, store_files, tiny_data, tiny_module, tiny_trainer, weights_of


def fit(folder: Path, share: float, workers: int, ranks: int, resume: Path | None) -> None:
    """Fit two rounds of two epochs, with a checkpoint after every third step, and keep the weights."""
    module = tiny_module(folder)
    saving = ModelCheckpoint(folder / "saved", filename="{step}", save_top_k=-1, every_n_train_steps=3)
    callbacks = [*stages(folder / "store", rounds=2, ratio=1), SourceAveraging(decay=0.9, share=share), saving]
    changes = {"strategy": "ddp", "devices": ranks} if ranks > 1 else {}
    trainer = tiny_trainer(folder, callbacks, max_epochs=4, enable_checkpointing=True, **changes)
    data = tiny_data(folder, num_workers=workers, batch_size=4 // ranks)
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    torch.save(weights_of(module), folder / f"weights{trainer.global_rank}.pt")


def run(folder: Path, share: float, workers: int, ranks: int, resume: Path | None = None) -> list[torch.Tensor]:
    """Fit in processes that an external launcher would have started; return the weights of each."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def process(rank: int) -> None:
        torch.set_num_threads(1)
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1"}
        extra = {"MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "none", "GLOO_SOCKET_IFNAME": "lo"}
        if ranks > 1:
            os.environ.update({key: str(value) for key, value in (places | extra).items()})
        fit(folder, share, workers, ranks, resume)

    processes = [multiprocessing.get_context("fork").Process(target=process, args=(rank,)) for rank in range(ranks)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(300)
        assert one.exitcode == 0
    return [torch.load(folder / f"weights{rank}.pt", weights_only=True) for rank in range(ranks)]


def check(tmp_path: Path, share: float, workers: int, ranks: int, steps: tuple[int, ...]) -> None:
    """Resume after some steps, in an empty store, and compare all bits with the whole run."""
    whole = run(tmp_path / "whole", share, workers, ranks)
    assert all(torch.equal(weights, whole[0]) for weights in whole)
    for step in steps:
        folder = tmp_path / f"after{step}"
        # The weights that the second round started from lie in the store alone.
        (folder / "store").mkdir(parents=True)
        kept = tmp_path / "whole" / "store" / "weights"
        (folder / "store" / "weights").symlink_to(kept)
        resumed = run(folder, share, workers, ranks, tmp_path / "whole" / "saved" / f"step={step}.ckpt")
        assert all(torch.equal(weights, whole[0]) for weights in resumed), step
        found, expected = store_files(folder / "store"), store_files(tmp_path / "whole" / "store")
        assert set(found.items()) <= set(expected.items())


@pytest.mark.filterwarnings("ignore")
def test_rounds_and_an_average_resume_to_the_same_bits(tmp_path: Path) -> None:
    check(tmp_path, share=0.6, workers=0, ranks=1, steps=(3, 9))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("workers", "ranks"), [(2, 1), (0, 2), (2, 2)])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_workers_and_ranks_too(tmp_path: Path, share: float, workers: int, ranks: int) -> None:
    check(tmp_path, share, workers, ranks, steps=(3, 6, 9, 12))
