"""Training any restoration network: network, loss, optimiser and schedule are injected."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any, Self

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion, OptimizerLRScheduler
from torch import Tensor, nn

from hyperalign.errors import InputError, NonFiniteError, RunError
from hyperalign.trainers import datamodule_of
from lightning_modules import checkpoints
from lightning_modules.checkpoints import (
    SafeCheckpointIO,
    described,
    described_network,
    recorded_task,
    recorded_training_data,
    training_data,
)
from lightning_modules.metrics import MetricProtocol
from lightning_modules.networks.consistency import Consistency
from lightning_modules.networks.sliding_bands import SlidingBands
from lightning_modules.restorer import (
    WHOLE,
    BandNetwork,
    Inputs,
    NetworkRestorer,
    consistency_settings,
    grid_of,
    moved,
    network_settings,
    restored_by,
    taken_data,
)
from lightning_modules.restorer.evaluation import EvaluationModule
from lightning_modules.schedules import length_from, training_length
from lightning_modules.schedules.optimizers import Interval, configured_optimizers
from lightning_modules.solver_guided import scene_wide

__all__ = ["RestorationModule"]

log = logging.getLogger(__name__)

DEFAULTS = vars(MetricProtocol())
"""The usual conventions of scores, which no checkpoint repeats."""


class RestorationModule(EvaluationModule):
    """Supervised restoration: observation -> network -> restored cube, compared with the clean target.

    Checkpoints hold tensors and plain values only (no hyper-parameter objects), so they load with
    `weights_only=True`; they record the network's class, the digest of the source weights, and the wavelengths and the
    normalisation of the training data.

    Args:
        network: maps observations `B x C x h x w` to restored cubes `B x C x H x W`.
        loss: compares (restored, target); `nn.L1Loss()` by default.
        optimizer: makes the optimiser from the parameters; Adam with learning rate 1e-4 by default.
        scheduler: makes a learning-rate schedule from the optimiser; none by default.
        scheduler_interval: the schedule steps every training `step` or every `epoch`.
        protocol: metric conventions; the defaults of `MetricProtocol` when None.
        source: checkpoint with source-trained weights (of this project or official), which the network is given at
            once; a checkpoint given to the trainer (`ckpt_path`) takes precedence for the network, while
            `source_restorer()` keeps restoring with the source weights.
        tile: side, in observation pixels, of the overlapping, blended tiles that scenes are restored in for validation,
            test and prediction; None restores them whole.
        consistency: follows the network wherever it restores, so that cubes agree with their observations.

    Attributes:
        trained_on: `wavelengths` (nm) and `normalisation` of the data that the loaded weights were trained on, each
            where their checkpoint records it.

    Raises:
        ValueError: when the tile is below 16 pixels.
        FileNotFoundError: when there is no source checkpoint of this path.
        CheckpointError: when the source checkpoint cannot be used.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module | None = None,
        optimizer: OptimizerCallable | None = None,
        scheduler: LRSchedulerCallable | None = None,
        scheduler_interval: Interval = "step",
        protocol: MetricProtocol | None = None,
        source: str | None = None,
        tile: int | None = None,
        consistency: Consistency | None = None,
    ) -> None:
        super().__init__(protocol, tile)
        self.network = network
        self.consistency = consistency
        self.loss = loss if loss is not None else nn.L1Loss()
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scheduler_interval: Interval = scheduler_interval
        self.source = source
        self._source_state: dict[str, Tensor] = {}
        self._source_data: dict[str, Any] = {}
        self._task: dict[str, Any] | None = None
        self.source_task: dict[str, Any] | None = None
        """The task that the source was trained for, as its checkpoint records it."""
        self._started_from: str | None = None
        self._start_from_source()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy that shares what makes optimiser and schedule: from a config, that holds the whole command."""
        memo |= {id(maker): maker for maker in (self.optimizer, self.scheduler)}
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        vars(copied).update(copy.deepcopy(self.__getstate__(), memo))
        return copied

    def forward(self, observation: Tensor, **grid: float | Tensor) -> Tensor:
        """Restore observations `B x C x h x w`; `grid` is what the method of that name returns."""
        restored: Tensor = self.network(observation, **grid)
        return restored

    @property
    def name(self) -> str:
        """Class of the network, such as `UpsampledInput(SERT)`."""
        return checkpoints.network_identity(self.network)

    @property
    def file_tile(self) -> int:
        """Side of the tiles in which files are restored: none where the network must see scenes whole."""
        return super().file_tile if scene_wide(self.network) is None else WHOLE

    def inputs(self, batch: Mapping[str, Any]) -> Inputs:
        """Take from a batch what `forward`, and so the network, is given.

        Returns:
            Images of the same ground, the one with the fewest pixels first, of which every tile is given its part; and
            tensors that every tile is given whole.
        """
        return (batch["observation"],), ()

    def grid(self, batch: Mapping[str, Any]) -> dict[str, float | Tensor]:
        """Return what the network is told beside its images, see `lightning_modules.restorer.grid_of`."""
        return grid_of(self.network, batch)

    def input_settings(self) -> dict[str, Any]:
        """Return what the inputs depend on beside the batch itself, JSON-able: part of the key of kept proxies."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return the digests of weights and structure, and what the inputs depend on."""
        return network_settings(self.network) | consistency_settings(self.consistency) | self.input_settings()

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore a batch by the present weights, without gradients.

        Args:
            batch: holds what `needs` names (see `datamodules.sampling.batches.Batch`); it may lie on any device.
            tile: side of the overlapping, blended tiles in observation pixels; None takes the module's own setting.

        Returns:
            The restored cubes `B x C x H x W`.

        Raises:
            ValueError: when the observation has another number of bands than the network was built for.
        """
        self._check_bands(batch)
        batch = moved(batch, self.network, self.device)
        return restored_by(self, self.inputs(batch), tile or self.tile, self.grid(batch), self.consistency)

    @property
    def has_source(self) -> bool:
        """Whether there are source weights."""
        return self.source is not None

    def source_restorer(self) -> NetworkRestorer | None:
        """Return what restores with the source weights as this module does; None where it has none."""
        return self.with_weights(self._source_weights()) if self.has_source else None

    def source_network(self) -> nn.Module:
        """Copy the network with the source-trained weights, in eval mode, on the module's device, without gradients.

        Raises:
            ValueError: when the module has no source checkpoint.
        """
        restorer = self.source_restorer()
        if restorer is None:
            raise InputError(
                "RestorationModule has no source weights; set model.init_args.source to the source-trained checkpoint."
            )
        return restorer.network

    def weights(self) -> dict[str, Tensor]:
        """Return the network's present weights."""
        return self.network.state_dict()

    def with_weights(self, weights: Mapping[str, Tensor]) -> NetworkRestorer:
        """Return a frozen copy, in float32, of the network with these weights, given what this module's is given."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(weights)
        return NetworkRestorer(
            network.eval().requires_grad_(False).float().to(self.device),
            self.inputs,
            needs=self.needs,
            tile=self.tile,
            protocol=self.protocol,
            settings=self.input_settings,
            consistency=self.consistency,
            trained_on=taken_data(self.network, self._source_data),
        )

    def _start_from_source(self) -> None:
        """Give the network the source weights, once: a test after a fit keeps the fitted ones."""
        if self.source is None or self._started_from == self.source:
            return
        self.network.load_state_dict(self._source_weights())
        self.trained_on = taken_data(self.network, self._source_data)
        self._started_from = self.source
        log.info("source weights loaded from %s", self.source)

    def _source_weights(self) -> dict[str, Tensor]:
        """Return the weights of the source checkpoint under the network's own names, read once, in host memory."""
        if not self._source_state:
            network = copy.deepcopy(self.network).cpu()
            identity = checkpoints.load_weights(network, str(self.source))
            self._source_data = recorded_training_data(identity)
            self.source_task = (identity or {}).get("task")
            self._source_state = network.state_dict()
        return self._source_state

    def setup(self, stage: str) -> None:
        """Have checkpoints read as data only, and start from a source that was named after the module was built."""
        strategy = self.trainer.strategy
        if type(strategy.checkpoint_io) is TorchCheckpointIO:
            strategy.checkpoint_io = SafeCheckpointIO()
        self._start_from_source()

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Compute the loss of one batch.

        Raises:
            FloatingPointError: when the loss is not finite, naming step, batch and scenes.
        """
        loss = self.training_loss(batch)
        if not bool(torch.isfinite(loss).all()):
            raise NonFiniteError(
                f"Training loss is {loss.mean().item()} at step {self.global_step}, epoch {self.current_epoch}, "
                f"batch {batch_idx}, scenes {', '.join(batch['name'])}; lower the learning rate or check them."
            )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["name"]))
        return loss

    def training_loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Compare a restored batch with its target; what other modules add to the loss, they add here."""
        self._check_bands(batch)
        images, whole = self.inputs(batch)
        restored: Tensor = self(*images, *whole, **self.grid(batch))
        self.check_size(batch, restored)
        loss: Tensor = self.loss(restored, batch["target"])
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the injected optimiser and schedule over the parameters that learn."""
        interval = self.scheduler_interval
        with length_from(lambda: training_length(self._trainer, interval, self.automatic_optimization)):
            return configured_optimizers(self.parameters(), self.optimizer, self.scheduler, interval, default_rate=1e-4)

    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any) -> None:  # noqa: ANN401 - Lightning's own
        """Step the schedule.

        Raises:
            RuntimeError: when it ended before the fit.
        """
        try:
            super().lr_scheduler_step(scheduler, metric)
        except ValueError as error:
            raise RunError(
                f"The schedule {type(scheduler).__name__} ended before the fit ({str(error).splitlines()[0]}): train "
                "for fewer epochs, or use lightning_modules.OneCycle, which takes its length from the Trainer."
            ) from error

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record the network, the source weights and the training data that the checkpoint belongs to."""
        source = checkpoints.weights_digest(self._source_state) if self._source_state else None
        identity: dict[str, Any] = {"network": checkpoints.network_identity(self.network), "source_digest": source}
        data = datamodule_of(self._trainer)
        if recorded := training_data(data) or self.trained_on:
            identity["training_data"] = recorded
        identity["task"] = recorded_task(data) or self._task
        identity["module"] = described(
            type(self), {"network": described_network(self.network), **self.restoring_settings()}
        )
        checkpoint[checkpoints.IDENTITY_KEY] = identity

    def restoring_settings(self) -> dict[str, Any]:
        """Return the plain arguments, beside the network, that restoring with this module's weights needs."""
        protocol = {name: value for name, value in vars(self.protocol).items() if value != DEFAULTS.get(name)}
        tiled: dict[str, Any] = {} if self.tile is None else {"tile": self.tile}
        if self.consistency is not None:
            tiled["consistency"] = described_network(self.consistency)
        return tiled | ({"protocol": described(MetricProtocol, protocol)} if protocol else {})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the checkpoint of another network, of other settings or of other source weights."""
        origin = str(getattr(self._trainer, "ckpt_path", None) or "the given checkpoint")
        if getattr(self._trainer, "training", False):
            checkpoints.check_resumable(checkpoint, origin, getattr(self._trainer, "max_epochs", None))
        identity = checkpoints.recorded_identity(checkpoint, origin)
        if identity:
            checkpoints.check_identity(self.network, identity, origin)
        state = {
            str(name).removeprefix("network."): value
            for name, value in checkpoint["state_dict"].items()
            if str(name).startswith("network.")
        }
        checkpoints.check_shapes(self.network, state, origin)
        self.trained_on = taken_data(self.network, recorded_training_data(identity) or self.trained_on)
        self._task = identity.get("task") or self._task
        recorded = identity.get("source_digest")
        # The source itself may be tested, whatever it was once adapted from.
        fitting = [recorded, checkpoints.weights_digest(state)] if recorded and self._source_state else []
        if fitting and checkpoints.weights_digest(self._source_state) not in fitting:
            raise checkpoints.CheckpointError(
                f"The weights in {origin} were adapted from other source weights than {self.source}; "
                "set model.init_args.source to the checkpoint they were adapted from."
            )

    def slide_along_bands(self) -> None:
        """Have the network slide along the spectrum (`lightning_modules.SlidingBands`) unless it takes any bands.

        Raises:
            InputError: for a network that restores band after band, or must see scenes whole.
        """
        if getattr(self.network, "any_bands", False):
            return
        if isinstance(self.network, BandNetwork) or scene_wide(self.network) is not None or len(self.needs) > 1:
            raise InputError(
                f"{self.name} cannot slide along the bands of a cube: set data.init_args.bands to select or "
                "interpolate, or take another network."
            )
        own = getattr(self.network, "input_channels", None) or len(self.trained_on.get("wavelengths", ())) or None
        self.network = SlidingBands(self.network, own)
        self.trained_on = taken_data(self.network, self.trained_on)

    def _check_bands(self, batch: Mapping[str, Any]) -> None:
        """Refuse observations of another number of bands than the network was built for."""
        bands, found = getattr(self.network, "input_channels", None), batch["observation"].shape[1]
        if bands is not None and found != bands:
            raise InputError(
                f"Scenes {', '.join(batch['name'])} have {found} bands but {self.name} was built for {bands}; set the "
                "network's input_channels, or choose data with as many bands."
            )
