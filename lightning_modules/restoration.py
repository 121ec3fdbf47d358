"""Training, scoring and using any restoration network: network, loss, optimiser and schedule are injected."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
from lightning import LightningModule
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MetricCollection

from hyperalign.errors import InputError, NonFiniteError
from lightning_modules import checkpoints
from lightning_modules.checkpoints import SafeCheckpointIO, recorded_training_data, training_data
from lightning_modules.metrics import MetricProtocol, latest_scores
from lightning_modules.tiles import check_tile, in_tiles

__all__ = ["RestorationModule"]

log = logging.getLogger(__name__)
FILE_TILE = 256


class RestorationModule(LightningModule):
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
        source: checkpoint with source-trained weights (of this project or official). They are loaded before a fit or
            test starts, once; a checkpoint given to the trainer (`ckpt_path`) then takes precedence for the network,
            while `source_network` keeps giving the source weights.
        tile: side, in observation pixels, of the overlapping, blended tiles that scenes are restored in for validation,
            test and prediction; None restores them whole.

    Attributes:
        trained_on: `wavelengths` (nm) and `normalisation` of the data that the loaded weights were trained on, each
            where their checkpoint records it.

    Raises:
        ValueError: when the tile is below 16 pixels.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module | None = None,
        optimizer: OptimizerCallable | None = None,
        scheduler: LRSchedulerCallable | None = None,
        scheduler_interval: Literal["step", "epoch"] = "step",
        protocol: MetricProtocol | None = None,
        source: str | None = None,
        tile: int | None = None,
    ) -> None:
        super().__init__()
        check_tile(tile, "RestorationModule")
        self.network = network
        self.loss = loss if loss is not None else nn.L1Loss()
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scheduler_interval = scheduler_interval
        self.protocol = protocol if protocol is not None else MetricProtocol()
        self.source = source
        self.tile = tile
        self.trained_on: dict[str, Any] = {}
        self._source_state: dict[str, Tensor] | None = None
        self._source_data: dict[str, Any] = {}
        self._starts_from_source = False
        self._validation_metrics = self.protocol.collection("val/")
        self._test_metrics: dict[str, MetricCollection] = {}

    @property
    def file_tile(self) -> int:
        """Side of the tiles in which files are restored where nothing else is asked for, so that any size fits."""
        return FILE_TILE

    def forward(self, observation: Tensor, **grid: float) -> Tensor:
        """Restore observations `B x C x h x w`; `grid` is what the method of that name returns."""
        restored: Tensor = self.network(observation, **grid)
        return restored

    def inputs(self, batch: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Take from a batch what `forward`, and so the network, is given.

        Returns:
            Images of the same ground, the one with the fewest pixels first, of which every tile is given its part; and
            tensors that every tile is given whole.
        """
        return (batch["observation"],), ()

    def grid(self, batch: Mapping[str, Any]) -> dict[str, float]:
        """Return the sampling phase of the observation as `phase`, for networks that enlarge by it; else nothing."""
        takes = bool(getattr(self.network, "takes_phase", False))
        return {"phase": float(batch["phase"])} if takes and "phase" in batch else {}

    def input_settings(self) -> dict[str, Any]:
        """What the inputs depend on beside the batch itself, JSON-able: part of the key of kept proxies."""
        return {}

    def restore(self, batch: Mapping[str, Any], network: nn.Module | None = None, tile: int | None = None) -> Tensor:
        """Restore a batch, which needs no target.

        Args:
            batch: see `datamodules.sampling.batches.Batch`.
            network: a network in place of the module's own, such as `source_network()`.
            tile: side in observation pixels of overlapping, blended tiles, in which nothing is learned; None restores
                scenes whole.

        Returns:
            The restored cubes `B x C x H x W`.
        """
        images, whole = self.inputs(batch)
        apply = partial(self if network is None else network, **self.grid(batch))
        if tile is None:
            restored: Tensor = apply(*images, *whole)
            return restored
        return in_tiles(lambda *pieces: apply(*pieces, *whole), *images, tile=tile)

    def setup(self, stage: str) -> None:
        """Load the source weights into the network, the first time only: a test after a fit keeps the fitted ones."""
        strategy = self.trainer.strategy
        if type(strategy.checkpoint_io) is TorchCheckpointIO:
            strategy.checkpoint_io = SafeCheckpointIO()
        if self.source is not None and not self._starts_from_source:
            self.network.load_state_dict(self._source_weights())
            self.trained_on = self._source_data
            self._starts_from_source = True
            log.info("source weights loaded from %s", self.source)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Load weights of the whole module, after which `setup` does not put the source weights over them.

        A fit in forked processes gives its weights back to this process in this way.
        """
        self._starts_from_source = True
        return super().load_state_dict(state_dict, *args, **kwargs)

    def source_network(self) -> nn.Module:
        """Copy the network with the source-trained weights, in eval mode, on the module's device, without gradients.

        Raises:
            ValueError: when the module has no source checkpoint.
            CheckpointError: when the source checkpoint cannot be used.
        """
        if self.source is None:
            raise InputError(
                "RestorationModule has no source weights; set model.init_args.source to the source-trained checkpoint."
            )
        network = copy.deepcopy(self.network)
        network.load_state_dict(self._source_weights())
        return network.eval().requires_grad_(False).to(self.device)

    def _source_weights(self) -> dict[str, Tensor]:
        """Weights of the source checkpoint under the network's own names, read once; the network stays as it is."""
        if self._source_state is None:
            network = copy.deepcopy(self.network).cpu()
            identity = checkpoints.load_weights(network, str(self.source))
            self._source_data = recorded_training_data(identity)
            self._source_state = network.state_dict()
        return self._source_state

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
        loss: Tensor = self.loss(self._restore(batch), batch["target"])
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the scenes of an earlier validation."""
        self._validation_metrics.reset()

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        """Score a validation batch."""
        self._validation_metrics.update(self._restore_whole(batch), batch["target"], names=batch["name"])

    def on_validation_epoch_end(self) -> None:
        """Log `val/psnr`, ... as means over the validation scenes."""
        scores = self._validation_metrics.compute()
        for name, score in scores.items():
            self.log(name, score, prog_bar=name == "val/psnr")

    def on_test_epoch_start(self) -> None:
        """Begin new scores for every test set, also for those of which this process restores no scene."""
        sets = [self._test_set(index) for index in range(len(self.trainer.num_test_batches))]
        self._test_metrics = {name: self.protocol.collection(f"test/{name}/") for name in sets}

    def test_step(self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Restore and score a test batch.

        Returns:
            `restored`, the cubes `B x C x H x W`, and `scores`, one mapping of metric to value per scene.
        """
        restored = self._restore_whole(batch)
        metrics = self._test_metrics[self._test_set(dataloader_idx)]
        metrics.update(restored, batch["target"], names=batch["name"])
        return {"restored": restored, "scores": latest_scores(metrics)}

    def _test_set(self, index: int) -> str:
        """Name of a test loader as the DataModule gives it, its number where there is no DataModule."""
        names = getattr(getattr(self.trainer, "datamodule", None), "test_set_names", None)
        return str(names[index]) if names else f"set {index}"

    def on_test_epoch_end(self) -> None:
        """Log `test/<set>/psnr`, ... as means over the scenes of each set."""
        for metrics in self._test_metrics.values():
            self.log_dict(metrics.compute())

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Restore observations that have no target."""
        return self._restore_whole(batch)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the injected optimiser and schedule over the network's trainable parameters."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = self.optimizer(parameters) if self.optimizer else torch.optim.Adam(parameters, lr=1e-4)
        if self.scheduler is None:
            return optimizer
        scheduler = self.scheduler(optimizer)
        schedule: LRSchedulerConfigType = {"scheduler": scheduler, "interval": self.scheduler_interval}
        # Lightning's ReduceLROnPlateau names the metric that it waits on.
        if monitored := getattr(scheduler, "monitor", None):
            schedule["monitor"] = str(monitored)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record the network, the source weights and the training data that the checkpoint belongs to."""
        source = checkpoints.weights_digest(self._source_state) if self._source_state is not None else None
        identity: dict[str, Any] = {"network": checkpoints.network_identity(self.network), "source_digest": source}
        if data := training_data(getattr(self._trainer, "datamodule", None)) or self.trained_on:
            identity["training_data"] = data
        checkpoint[checkpoints.IDENTITY_KEY] = identity

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the checkpoint of another network, of other settings or of other source weights."""
        origin = str(getattr(self._trainer, "ckpt_path", None) or "the given checkpoint")
        if getattr(self._trainer, "training", False):
            checkpoints.check_resumable(checkpoint, origin)
        identity = checkpoints.recorded_identity(checkpoint, origin)
        if identity:
            checkpoints.check_identity(self.network, identity, origin)
        state = {
            str(name).removeprefix("network."): value
            for name, value in checkpoint["state_dict"].items()
            if str(name).startswith("network.")
        }
        checkpoints.check_shapes(self.network, state, origin)
        self.trained_on = recorded_training_data(identity) or self.trained_on
        recorded = identity.get("source_digest")
        if recorded and self._source_state and recorded != checkpoints.weights_digest(self._source_state):
            raise checkpoints.CheckpointError(
                f"The weights in {origin} were adapted from other source weights than {self.source}; "
                "set model.init_args.source to the checkpoint they were adapted from."
            )

    def _restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore a batch after checking its bands, and check the result against the target's size."""
        observation = batch["observation"]
        bands = getattr(self.network, "input_channels", None)
        if bands is not None and observation.shape[1] != bands:
            raise InputError(
                f"Scenes {', '.join(batch['name'])} have {observation.shape[1]} bands but "
                f"{checkpoints.network_identity(self.network)} was built for {bands}; "
                "set the network's input_channels, or choose data with as many bands."
            )
        restored = self.restore(batch, tile=tile)
        target = batch.get("target")
        if target is not None and target.shape != restored.shape:
            raise InputError(
                f"{checkpoints.network_identity(self.network)} restored {list(restored.shape)} where the target is "
                f"{list(target.shape)}; for super-resolution wrap a same-size network in UpsampledInput of that scale."
            )
        return restored

    def _restore_whole(self, batch: Mapping[str, Any]) -> Tensor:
        """Restore scenes for scoring or use, refusing observations that are not finite."""
        images, _ = self.inputs(batch)
        finite = torch.stack([torch.isfinite(one).flatten(1).all(dim=1) for one in images]).all(dim=0).tolist()
        spoilt = [name for name, good in zip(batch["name"], finite, strict=True) if not good]
        if spoilt:
            raise InputError(
                f"The observation of {', '.join(spoilt)} holds NaN or infinite values; repair or leave out the scene."
            )
        return self._restore(batch, self.tile)
