"""Signals end a run in order, in the stages as in the finetuning, and a requeued run ends like an uninterrupted one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from callbacks.adaptation.store import Store
from experiments.process.interruptions import Interruptions, requeue
from experiments.process.sigterm import TERMINATED, ends_on_sigterm
from tests.callbacks.tiny import leftovers, stages, store_files, tiny_data, tiny_module, tiny_trainer, weights_of

SLURM = {
    "SLURM_NTASKS": "1",
    "SLURM_JOB_NAME": "adapt",
    "SLURM_JOB_ID": "4711",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NTASKS_PER_NODE": "1",
}


@pytest.fixture(autouse=True)
def default_signals() -> Iterator[None]:
    """Lightning gives back, after an error, what it found when it took the signals up."""
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


class Signalled(Callback):
    """Sends this process a signal in the middle of the step of a number.

    Raised, so that Python's handler runs at once: what `kill` sends may be taken by another thread, which a loaded
    machine lets run a step later.
    """

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step, self.finished = number, step, 0

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor) -> None:
        if trainer.global_step == self.step:
            signal.raise_signal(self.number)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: ANN401
        self.finished = trainer.global_step


def adapt(folder: Path, more: list[Callback], **settings: Any) -> torch.Tensor:  # noqa: ANN401
    module = tiny_module(folder)
    callbacks = [*stages(folder / "store", rounds=2, ratio=1), *more, Interruptions()]
    saving = ModelCheckpoint(folder / "checkpoints", save_last=True)
    trainer = tiny_trainer(folder, [*callbacks, saving], max_epochs=2, enable_checkpointing=True, **settings)
    trainer.fit(module, datamodule=tiny_data(folder))
    return weights_of(module)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], torch.Tensor]:
    folder = tmp_path_factory.mktemp("whole")
    weights = adapt(folder, [])
    return store_files(folder / "store"), weights


def in_a_process(work: Callable[[], object]) -> int | None:
    """Run a function in a process of its own, and return the status that it ends with."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(400)
    return process.exitcode


def signals_at(entry: int, number: int) -> None:
    """Send this process a signal before it writes so many entries of a store."""
    original, count = Store.write_array, [0]

    def write_array(self: Store, *arguments: Any) -> Any:  # noqa: ANN401
        count[0] += 1
        if count[0] == entry:
            signal.raise_signal(number)
        return original(self, *arguments)

    Store.write_array = write_array  # type: ignore[method-assign, assignment]  # only in this process


# Three proxies, three guides, three synthesised cubes a round.
@pytest.mark.parametrize("entry", [2, 11])
def test_sigterm_in_a_stage_ends_with_143_and_keeps_what_is_finished(
    tmp_path: Path, entry: int, uninterrupted: tuple[dict[str, str], torch.Tensor]
) -> None:
    def interrupted() -> None:
        signals_at(entry, signal.SIGTERM)
        adapt(tmp_path, [])

    assert in_a_process(interrupted) == TERMINATED
    kept = [name for name in store_files(tmp_path / "store") if name.endswith(".npy")]
    assert len(kept) == entry - 1
    assert leftovers(tmp_path / "store") == []
    assert torch.equal(adapt(tmp_path, []), uninterrupted[1])
    assert store_files(tmp_path / "store") == uninterrupted[0]


def test_sigterm_in_a_batch_ends_after_it(tmp_path: Path) -> None:
    noted = Signalled(signal.SIGTERM, 2)
    with pytest.raises(SystemExit) as ended:
        adapt(tmp_path, [noted])
    assert ended.value.code == TERMINATED == 143
    assert noted.finished == 3


def scontrol(folder: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> Path:
    """Put a `scontrol` into the path that notes what it is asked, and make this a SLURM job."""
    noted = folder / "asked"
    program = folder / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {noted}\nexit {status}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    return noted


@pytest.mark.parametrize("entry", [2, 11])
def test_slurms_signal_in_a_stage_requeues_and_the_next_run_ends_the_same(
    tmp_path: Path,
    entry: int,
    uninterrupted: tuple[dict[str, str], torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = scontrol(tmp_path, monkeypatch)
    environment = SLURMEnvironment(auto_requeue=True)

    def interrupted() -> None:
        signals_at(entry, signal.SIGUSR1)
        signals_at(entry + 1, signal.SIGTERM)
        adapt(tmp_path, [], plugins=[environment])

    assert in_a_process(interrupted) == TERMINATED
    assert asked.read_text() == "requeue 4711\n"
    assert torch.equal(adapt(tmp_path, [], plugins=[environment]), uninterrupted[1])
    assert store_files(tmp_path / "store") == uninterrupted[0]


@pytest.mark.parametrize("step", [1, 4])
def test_slurms_signal_in_a_step_saves_after_it(
    tmp_path: Path,
    step: int,
    uninterrupted: tuple[dict[str, str], torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = scontrol(tmp_path, monkeypatch)
    environment = SLURMEnvironment(auto_requeue=True)
    with pytest.raises(SystemExit) as ended:
        adapt(tmp_path, [Signalled(signal.SIGUSR1, step), Signalled(signal.SIGTERM, step + 1)], plugins=[environment])
    assert ended.value.code == TERMINATED
    assert asked.read_text() == "requeue 4711\n"
    assert (tmp_path / "hpc_ckpt_1.ckpt").is_file()
    assert torch.equal(adapt(tmp_path, [], plugins=[environment]), uninterrupted[1])


def test_a_job_that_is_not_requeued_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = scontrol(tmp_path, monkeypatch, status=3)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    trainer = tiny_trainer(tmp_path, [], plugins=[SLURMEnvironment(auto_requeue=False)])
    requeue(trainer)
    assert asked.read_text() == "requeue 12_7\n"
    assert "The job 12_7 was not put into the queue again (scontrol ended with 3): submit it." in caplog.text
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    requeue(trainer)
    assert "The job 12_7 cannot be put into the queue again" in caplog.text


def test_a_command_without_trainer_ends_with_143() -> None:
    with pytest.raises(SystemExit) as ended, ends_on_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
