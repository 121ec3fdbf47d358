"""Lightning's Trainer with `adapt`: fit, test and predict as one run under one logger."""

from __future__ import annotations

import logging

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.model_helpers import is_overridden
from typing_extensions import override

log = logging.getLogger(__name__)


class LastEpoch(Callback):
    """Has a fit end with a validation, and with the weights of its last step in `last.ckpt`.

    Checkpoints are written where a score is there. Where validations lie some epochs apart, or steps are limited, a fit
    ends between two of them: what the last epochs learned would be in no file, and a short fit would leave none.
    """

    def __init__(self) -> None:
        """Start with nothing put off."""
        self._every: int | None = None

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate after the last epoch too."""
        every, epochs = trainer.check_val_every_n_epoch, trainer.max_epochs
        if every and epochs and trainer.current_epoch + 1 == epochs and epochs % every:
            self._every, trainer.check_val_every_n_epoch = every, epochs
            log.info("Validated after epoch %d, the last, and not only every %d: checkpoints need it.", epochs, every)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `last.ckpt` anew where steps were taken since."""
        if self._every is not None:
            trainer.check_val_every_n_epoch, self._every = self._every, None
        for one in trainer.checkpoint_callbacks:
            if not isinstance(one, ModelCheckpoint) or one.save_last is not True or not one.last_model_path:
                continue
            if getattr(one, "_last_global_step_saved", None) != trainer.global_step:
                trainer.save_checkpoint(one.last_model_path, one.save_weights_only)


def end_with_last_epoch(trainer: Trainer) -> None:
    """Have a fit of this Trainer end as `LastEpoch` says, before averaged weights take the place of the last ones."""
    vars(trainer)["callbacks"].insert(0, LastEpoch())


class AdaptingTrainer(Trainer):
    """A Trainer that also adapts."""

    def adapt(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None = None,
        ckpt_path: str | None = None,
        weights_only: bool | None = None,
        verbose: bool = True,
    ) -> None:
        """Adapt a network and score it: fit, test with the adapted weights, and predict where cubes are to be written.

        All under one logger, so that a sweep can optimise what the test logs, such as `test/unobserved/psnr`.

        Args:
            model: the module.
            datamodule: the target's data; without test scenes it is not tested.
            ckpt_path: checkpoint of an interrupted fit to go on from.
            weights_only: whether a checkpoint is read without running code in it.
            verbose: whether the test prints its scores.
        """
        self.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=weights_only)
        if is_overridden("test_dataloader", datamodule if datamodule is not None else model):
            self.test(model, datamodule=datamodule, verbose=verbose)
        if self.writes_cubes:
            self.predict(model, datamodule=datamodule, return_predictions=False)

    @property
    def writes_cubes(self) -> bool:
        """Whether a `PredictionWriter` has a folder to write restored cubes to."""
        from callbacks import PredictionWriter

        callbacks = vars(self)["callbacks"]
        return any(isinstance(one, PredictionWriter) and one.folder is not None for one in callbacks)
