"""Keeps the whole configuration of a run beside its other results."""

from __future__ import annotations

import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback

from callbacks.reporting.loggers import log_configuration
from hyperalign.files import write_text
from hyperalign.folders import free_path, run_folder


class SaveRunConfig(SaveConfigCallback):
    """Writes `config.yaml` into the run's own folder when a run starts, never over an earlier one.

    Loggers that compare runs by their settings (Weights & Biases) are given the whole tree.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save the configuration once, on rank zero."""
        if self.already_saved:
            return
        folder = run_folder(trainer)
        self.already_saved = True
        if not trainer.is_global_zero:
            return
        text = self.parser.dump(self.config, skip_none=False)
        write_text(free_path(folder, "config", ".yaml"), text)
        log_configuration(trainer.loggers, yaml.safe_load(text))
