"""What ends a run from outside: signals of a scheduler or a person, and the loss of another rank."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer

from experiments.process.sigterm import TERMINATED
from hyperalign.files import replacing_path
from hyperalign.ranks import world
from hyperalign.watch import is_consequence, watch

__all__ = ["Interruptions", "requeue"]

log = logging.getLogger(__name__)


class Interruptions(Callback):
    """Ends a run in order: SIGTERM after the batch or tile in hand, at once elsewhere, always with exit status 143.

    Lightning takes up signals only after `on_fit_start`, in which the adaptation stages run, looks at SIGTERM only in
    its fits, ends with status 0, and saves in the middle of a step when SLURM announces the end of a job. Here the job
    is put into the queue again: after the batch in hand, with a checkpoint of it, from which Lightning goes on; in a
    stage at once, as what it finished is in the store, with the last checkpoint that the fit has written, if any. The
    next run ends as an uninterrupted one, to the last bit. In a distributed run the ranks watch each other
    (`hyperalign.watch`).
    """

    def __init__(self) -> None:
        self._in_batch = False
        self._asked = False
        self._announced = False
        self._kept: dict[int, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take up the signals, and the watch."""
        if world()[0] > 1:
            watch()
        self._in_batch = self._asked = self._announced = False
        self._take_up(trainer)
        environment = _slurm(trainer)
        if environment is not None and environment.requeue_signal is not None:
            self._handle(environment.requeue_signal, lambda *_: self._announce(trainer))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Tell the other ranks why this one ends."""
        self.teardown(trainer, pl_module, "")
        if world()[0] > 1 and not is_consequence(exception):
            watch().fail(exception)
            watch().end()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number in list(self._kept):
            self._give_back(number)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take SIGTERM up again after Lightning."""
        self._take_up(trainer)

    on_validation_start = on_test_start = on_predict_start = on_train_start

    def on_train_batch_start(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Lightning's four signatures
        """Note that a batch is in hand."""
        self._in_batch = True

    on_validation_batch_start = on_test_batch_start = on_predict_batch_start = on_train_batch_start

    def on_train_batch_end(self, trainer: Trainer, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Lightning's four
        """Save and requeue, or end the run, if that was asked for in the batch.

        Raises:
            SystemExit: with the status of a terminated command.
        """
        self._in_batch = False
        if self._announced:
            self._announced = False
            if trainer.training and trainer.is_global_zero:
                # Of the first rank alone, as the others may have had the signal a batch earlier or later.
                content = trainer._checkpoint_connector.dump_checkpoint()
                trainer.strategy.save_checkpoint(content, _next_path(trainer))
            requeue(trainer)
        if self._asked:
            raise SystemExit(TERMINATED)

    on_validation_batch_end = on_test_batch_end = on_predict_batch_end = on_train_batch_end

    def _take_up(self, trainer: Trainer) -> None:
        def terminate(number: int, _: FrameType | None) -> None:
            launcher = trainer.strategy.launcher
            if launcher is not None and not self._asked:
                launcher.kill(number)
            self._asked = True
            if not self._in_batch:
                raise SystemExit(TERMINATED)

        self._handle(signal.SIGTERM, terminate)

    def _announce(self, trainer: Trainer) -> None:
        """React to the announced end of the job: now, or after the batch in hand."""
        if self._in_batch:
            self._announced = True
            return
        last = getattr(trainer.checkpoint_callback, "last_model_path", "") if trainer.training else ""
        if last and trainer.is_global_zero and Path(last).is_file():
            with replacing_path(Path(_next_path(trainer))) as copy:
                shutil.copyfile(last, copy)
        requeue(trainer)

    def _handle(self, number: int, handler: Callable[[int, FrameType | None], object]) -> None:
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(number, handler)
            self._kept.setdefault(number, before)

    def _give_back(self, number: int) -> None:
        before = self._kept.pop(number)
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, signal.SIG_DFL if before is None else before)


def requeue(trainer: Trainer) -> None:
    """Have SLURM put this job into its queue again; the job goes on working until SLURM ends it."""
    if not trainer.is_global_zero:
        return
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array is not None else os.environ.get("SLURM_JOB_ID", "")
    try:
        status = subprocess.run(["scontrol", "requeue", job], check=False).returncode  # noqa: S603, S607
    except OSError as error:
        log.warning("The job %s cannot be put into the queue again (%s): submit it again.", job, error)
        return
    if status:
        log.warning("The job %s was not put into the queue again (scontrol ended with %d): submit it.", job, status)


def _next_path(trainer: Trainer) -> str:
    """Return where Lightning looks for the checkpoint of a requeued job first."""
    return str(trainer._checkpoint_connector.hpc_save_path(trainer.default_root_dir))


def _slurm(trainer: Trainer) -> SLURMEnvironment | None:
    """Return the environment of a SLURM job that is put into its queue again."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    environment = environment or trainer._accelerator_connector.cluster_environment
    return environment if isinstance(environment, SLURMEnvironment) and environment.auto_requeue else None
