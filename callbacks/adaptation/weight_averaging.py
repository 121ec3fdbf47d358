"""Adapted weights that keep what the source knew: a moving average, interpolated with the source weights."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import Tensor
from typing_extensions import override

from callbacks.adaptation.stages import log_stage
from hyperalign.errors import InputError
from lightning_modules.restorer import NetworkRestorer, adaptable

__all__ = ["SourceAveraging"]

_AVERAGE = "average_model_state"
_PREFIX = "network."


class SourceAveraging(EMAWeightAveraging):
    """Lightning's moving average of the weights, and the last step of WiSE-FT (Wortsman et al., CVPR 2022).

    What checkpoints hold, and what is left after the fit, is `source + share (average - source)`; with a share of 1 it
    is the average. The average alone is kept beside it where they differ, so that a resumed fit goes on with it.
    Validation within a fit sees the average. Rounds of adaptation start from the trained weights themselves.

    Args:
        decay: of the moving average, each optimiser step.
        share: how far to go from the source weights to the average, above 0, at most 1; below 1 the module needs source
            weights.

    Raises:
        InputError: for a decay or a share out of range.
    """

    def __init__(self, decay: float = 0.98, share: float = 1.0) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"SourceAveraging got decay={decay}: give a number of at least 0 and below 1.")
        if not 0 < share <= 1:
            raise InputError(f"SourceAveraging got share={share}: give a number above 0, at most 1.")
        super().__init__(decay=decay)
        self.decay = decay
        self.share = share
        self._source: dict[str, Tensor] = {}

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the source weights, before anything is trained."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self.share < 1:
            source = adaptable(pl_module, "SourceAveraging").source_restorer()
            if not isinstance(source, NetworkRestorer):
                raise InputError(
                    f"SourceAveraging with share={self.share} needs the weights that adaptation starts from: set "
                    "model.init_args.source, or a share of 1."
                )
            self._source = {_PREFIX + name: value.cpu() for name, value in source.network.state_dict().items()}

    def interpolated(self, average: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `source + share (average - source)` for what both hold as fractions, the average's own otherwise."""
        found = dict(average)
        for name, source in self._source.items():
            if name in average and source.is_floating_point():
                found[name] = torch.lerp(source.to(average[name]), average[name], self.share)
        return found

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the module with the weights that checkpoints hold."""
        super().on_train_end(trainer, pl_module)
        if self._source:
            pl_module.load_state_dict(self.interpolated(dict(pl_module.state_dict())))
        log_stage(trainer, "averaging", {"decay": self.decay, "share": self.share})

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Write the interpolated weights, and beside them what a resumed fit needs."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._source and self._average_model is not None:
            checkpoint[_AVERAGE] = checkpoint["state_dict"]
            checkpoint["state_dict"] = self.interpolated(checkpoint["state_dict"])

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on with the average, not with what was interpolated; a test takes the weights as they are."""
        if self._average_model is None:
            return
        if _AVERAGE in checkpoint:
            checkpoint = {**checkpoint, "state_dict": checkpoint[_AVERAGE]}
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
