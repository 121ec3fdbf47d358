"""How long a documented training takes: `python -m tests.benchmarks.training_time --config fusion/srlf ...`.

What follows the name is what would follow `hyperalign fit`. Two steps are trained and the second is timed, in CPU
seconds of one process, because they depend little on what else the machine does. `--data.crop` spares reading whole
scenes and changes no step.
"""

from __future__ import annotations

import hyperalign  # noqa: F401  first: torchvision is repaired before anything imports it

# isort: split
import contextlib
import io
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from experiments.cli import main, run

FEW = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 0, "num_sanity_val_steps": 0, "logger": False}


class StepClock(Callback):
    """Keeps the CPU seconds of the last step."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.begun = self.seconds = 0.0

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        self.begun = time.process_time()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self.seconds = time.process_time() - self.begun


@dataclass(frozen=True)
class Length:
    """A training.

    Attributes:
        steps: of the whole training.
        seconds: CPU seconds of one.
    """

    steps: int
    seconds: float


def planned_steps(words: list[str]) -> int:
    """Return the steps that a fit has, by its configuration."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main(["fit", *words, "--print_config"])
    config: dict[str, Any] = yaml.safe_load(printed.getvalue())
    data = config["data"]["init_args"]
    return int(config["trainer"]["max_epochs"] * math.ceil(data["patches_per_epoch"] / data["batch_size"]))


def measured(words: list[str]) -> Length:
    """Train two steps of a fit and time the second."""
    with tempfile.TemporaryDirectory() as folder:
        few = [word for name, value in FEW.items() for word in (f"--trainer.{name}", str(value).lower())]
        clock = ["--trainer.callbacks+", f"{StepClock.__module__}.StepClock", "--trainer.default_root_dir", folder]
        trainer: Any = run(["fit", *words, *few, "--data.num_workers", "0", *clock]).trainer
    found = [one.seconds for one in trainer.callbacks if type(one).__name__ == "StepClock"]
    return Length(planned_steps(words), found[0])


if __name__ == "__main__":
    length = measured(sys.argv[1:])
    hours = length.steps * length.seconds / 3600
    sys.stdout.write(f"{length.steps:,} steps of {length.seconds:.1f} CPU seconds: {hours:,.1f} hours of one core\n")
