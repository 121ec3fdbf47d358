"""What the modules that train a CLIP vision encoder share: loading, optimiser, checkpoints, and writing the encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from hyperalign.errors import NonFiniteError
from hyperalign.folders import run_folder
from lightning_modules import checkpoints
from lightning_modules.checkpoints import SafeCheckpointIO
from lightning_modules.clip.encoder import Encoder, described, read_encoder, write_encoder
from lightning_modules.clip.towers import ClipError
from lightning_modules.schedules import length_from, training_length
from lightning_modules.schedules.optimizers import Interval, configured_optimizers

__all__ = ["EncoderModule"]


class EncoderModule(LightningModule):
    """Trains an encoder on batches with an `image`, `B x 3 x S x S` in [0, 1], and its `name`.

    The encoder is read when a command begins (so that printing a configuration reads nothing) and written when a fit
    ends, to `<output>/image_encoder`. Checkpoints hold its weights and plain values only.

    Args:
        checkpoint: id or folder of an unCLIP pipeline, a folder of its encoder, or `tiny_vision`.
        subfolder: where a pipeline keeps the encoder.
        optimizer: makes the optimiser from the parameters; Adam with learning rate 1e-5 by default.
        scheduler: makes a learning-rate schedule from the optimiser; none by default.
        scheduler_interval: the schedule steps every training `step` or every `epoch`.
        output: folder that `image_encoder` is written to at the end of a fit; the run's log folder when None.
        seed: fixes what is random in a step.

    Attributes:
        encoder: the `CLIPVisionModelWithProjection` that learns, once it is read.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        subfolder: str = "image_encoder",
        optimizer: OptimizerCallable | None = None,
        scheduler: LRSchedulerCallable | None = None,
        scheduler_interval: Interval = "step",
        output: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.subfolder = subfolder
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scheduler_interval: Interval = scheduler_interval
        self.output = output
        self.seed = seed
        self.encoder: torch.nn.Module | None = None
        self._read: Encoder | None = None
        self._source_digest = ""

    def setup(self, stage: str) -> None:
        """Have checkpoints read as data only."""
        strategy = self.trainer.strategy
        if type(strategy.checkpoint_io) is TorchCheckpointIO:
            strategy.checkpoint_io = SafeCheckpointIO()

    def configure_model(self) -> None:
        """Read the encoder, the first time only.

        Raises:
            ClipError: when it cannot be had.
        """
        if self._read is None:
            self._read = read_encoder(self.checkpoint, self.subfolder)
            self._source_digest = checkpoints.weights_digest(self._read.network)
            self.prepare(self._read)
            self.encoder = self._read.network.train()

    def prepare(self, encoder: Encoder) -> None:
        """Make what else is needed of the encoder as it was read; nothing by default."""

    def forward(self, images: Tensor) -> Tensor:
        """Embed images `B x 3 x S x S` in [0, 1] as `B x E`, projected, not normalised.

        Raises:
            ClipError: when the images have another size than the encoder takes.
        """
        self.configure_model()
        return self.embed(self.encoder, images)

    def embed(self, network: torch.nn.Module | None, images: Tensor) -> Tensor:
        """Embed images by this network, prepared as the checkpoint's preprocessor says, in float32 afterwards."""
        if self._read is None or network is None:
            raise ClipError(f"{type(self).__name__} has no encoder yet; call configure_model first.")
        side = self._read.side
        if images.shape[1:] != (3, side, side):
            raise ClipError(
                f"Images of {images.shape[1]} x {images.shape[2]} x {images.shape[3]} reach an encoder that takes "
                f"3 x {side} x {side}; set data.init_args.side to {side}."
            )
        mean, spread = (part.to(images.device) for part in self._read.normalisation())
        embeddings: Tensor = network((images.float() - mean) / spread).image_embeds
        return embeddings.float()

    def finite(self, loss: Tensor, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Log the loss of a batch and return it.

        Raises:
            FloatingPointError: when the loss is not finite, naming step, batch and photographs.
        """
        if not bool(torch.isfinite(loss).all()):
            raise NonFiniteError(
                f"Training loss is {loss.mean().item()} at step {self.global_step}, epoch {self.current_epoch}, "
                f"batch {batch_idx}, photographs {', '.join(batch['name'])}; lower the learning rate or check them."
            )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["name"]))
        return loss

    def on_train_end(self) -> None:
        """Write the encoder on rank 0, and let no rank go on before it is there."""
        folder = self.output_folder() / "image_encoder"
        if self.trainer.is_global_zero and not getattr(self.trainer, "fast_dev_run", False):
            write_encoder(self.trained(), folder)
        self.trainer.strategy.barrier("the encoder is written")

    def trained(self) -> Encoder:
        """Return the encoder as it is now.

        Raises:
            ClipError: before it was read.
        """
        if self._read is None:
            raise ClipError(f"{type(self).__name__} has no encoder yet; call configure_model first.")
        return self._read

    def output_folder(self) -> Path:
        """Return where the run's results go; every rank must ask."""
        return Path(self.output) if self.output else run_folder(self.trainer)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the injected optimiser and schedule over the parameters that learn."""
        interval = self.scheduler_interval
        with length_from(lambda: training_length(self._trainer, interval)):
            return configured_optimizers(self.parameters(), self.optimizer, self.scheduler, interval, default_rate=1e-5)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Load weights; a fit in forked processes gives them back to a process that has not read the encoder yet."""
        self.configure_model()
        return super().load_state_dict(state_dict, *args, **kwargs)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record the encoder's architecture and the weights that it started from."""
        checkpoint[checkpoints.IDENTITY_KEY] = {
            "network": type(self).__name__,
            "encoder": described(self.trained()),
            "source_digest": self._source_digest,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the checkpoint of another encoder, or of one that started from other weights.

        Raises:
            CheckpointError: one sentence that says which.
        """
        self.configure_model()
        origin = str(getattr(self._trainer, "ckpt_path", None) or "the given checkpoint")
        state = {
            name.removeprefix("encoder."): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith("encoder.")
        }
        checkpoints.check_shapes(self.trained().network, state, origin)
        recorded = checkpoint.get(checkpoints.IDENTITY_KEY, {}).get("source_digest")
        if recorded and recorded != self._source_digest:
            raise checkpoints.CheckpointError(
                f"The encoder in {origin} was trained from other weights than those of {self.checkpoint}; set "
                "model.init_args.checkpoint to what it started from."
            )
