"""Lightning's Trainer with `adapt`: fit, test and predict as one run under one logger."""

from __future__ import annotations

import logging

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden

log = logging.getLogger(__name__)


def validate_within(trainer: Trainer) -> None:
    """Validate after the last epoch where a fit is shorter than the distance of its validations.

    Checkpoints that follow a validation score are written when one is there; a fit cut short would leave none.
    """
    every, epochs = trainer.check_val_every_n_epoch, trainer.max_epochs
    if every is not None and epochs is not None and 0 < epochs < every:
        trainer.check_val_every_n_epoch = epochs
        log.info("Validated after epoch %d, the last, and not only after %d: checkpoints need it.", epochs, every)


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
