"""Training band by band: one optimiser step for each band of a batch, as SFCSR's authors train it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from hyperalign.errors import InputError, NonFiniteError
from lightning_modules.restoration.module import RestorationModule
from lightning_modules.restorer import BandNetwork

__all__ = ["BandwiseRestorationModule"]


class BandwiseRestorationModule(RestorationModule):
    """A `RestorationModule` whose optimiser steps once per band, on the loss of that band alone.

    It needs a network with the method `restore_band` (SFCSR). Validation, test and prediction restore whole cubes as
    usual. The memory of a training step is that of one band. The trainer counts one step per band, 31 per batch of a
    31-band cube, so give `max_epochs` rather than `max_steps`; it neither clips nor accumulates gradients.

    Args:
        *args: see `RestorationModule`.
        **kwargs: see `RestorationModule`.

    Raises:
        ValueError: when the network cannot restore single bands.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - those of the parent
        super().__init__(*args, **kwargs)
        if not isinstance(self.network, BandNetwork):
            raise InputError(
                f"BandwiseRestorationModule: {type(self.network).__name__} does not restore single bands; "
                "use RestorationModule, or the network SFCSR."
            )
        self.automatic_optimization = False

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Step through the bands of one batch in order; the context of a band reaches the next one without gradients.

        Returns:
            Mean loss of the bands, without gradients.

        Raises:
            FloatingPointError: when the loss of a band is not finite, naming step, batch and scenes.
        """
        optimizer = self.optimizers()
        network: object = self.network
        assert isinstance(optimizer, LightningOptimizer)  # noqa: S101 - `configure_optimizers` makes one
        assert isinstance(network, BandNetwork)  # noqa: S101 - the constructor takes no other
        observation, target = batch["observation"], batch["target"]
        context, losses = None, []
        for band in range(observation.shape[1]):
            restored, context = network.restore_band(observation, band, context)
            context = context.detach()
            loss: Tensor = self.loss(restored, target[:, band : band + 1])
            if not bool(torch.isfinite(loss)):
                raise NonFiniteError(
                    f"Training loss is {loss.item()} at step {self.global_step}, epoch {self.current_epoch}, band "
                    f"{band} of batch {batch_idx}, scenes {', '.join(batch['name'])}; lower the learning rate or "
                    "check them."
                )
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            losses.append(loss.detach())
        mean = torch.stack(losses).mean()
        self.log("train/loss", mean, prog_bar=True, batch_size=len(observation))
        if self.scheduler_interval == "step":
            self._step_schedule()
        return mean

    def on_train_epoch_end(self) -> None:
        """Step a learning-rate schedule that counts epochs."""
        if self.scheduler_interval == "epoch":
            self._step_schedule()

    def _step_schedule(self) -> None:
        """Step the learning-rate schedule, which Lightning leaves to modules that step their optimiser themselves."""
        schedule: Any = self.lr_schedulers()
        if schedule:
            schedule.step()
