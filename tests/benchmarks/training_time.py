"""How long a documented training takes: `python -m tests.benchmarks.training_time --config fusion/srlf ...`.

What follows the name is what would follow `hyperalign fit`. Two steps are trained and the second is timed, in CPU
seconds of one process, because they depend little on what else the machine does; memory is what became resident in
either. `--data.crop` spares reading whole scenes and changes no step; the first test scene, cut to it, is restored
then.
"""

from __future__ import annotations

import hyperalign  # noqa: F401  first: torchvision is repaired before anything imports it

# isort: split
import contextlib
import io
import math
import sys
import tempfile
from dataclasses import dataclass
from typing import Any, cast

import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from experiments.cli import main, run
from lightning_modules.metrics.device_cost import DeviceCost

FEW = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 0, "num_sanity_val_steps": 0, "logger": False}


class StepClock(Callback):
    """Keeps the CPU seconds of the last step and the GiB that became resident in the largest."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.seconds = self.gibibytes = 0.0
        self.cost = DeviceCost("cpu")

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        self.cost = DeviceCost("cpu")
        self.cost.__enter__()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self.cost.__exit__(None, None, None)
        self.seconds = self.cost.seconds
        self.gibibytes = max(self.gibibytes, self.cost.gibibytes or 0.0)


@dataclass(frozen=True)
class Length:
    """A training.

    Attributes:
        steps: of the whole training.
        seconds: CPU seconds of one.
        gibibytes: that became resident in the larger of two steps.
        scene_seconds: CPU seconds of the first test scene.
        scene_gibibytes: that became resident for it.
    """

    steps: int
    seconds: float
    gibibytes: float
    scene_seconds: float
    scene_gibibytes: float


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
        command = run(["fit", *words, *few, "--data.num_workers", "0", *clock])
        model, trainer, data = (cast("Any", one) for one in (command.model, command.trainer, command.datamodule))
        data.setup("test")
        batch = next(iter(data.test_dataloader()[0]))
        model.eval()
        with torch.no_grad(), DeviceCost("cpu") as cost:
            model.restore(batch)
    (step,) = (one for one in trainer.callbacks if type(one).__name__ == "StepClock")
    return Length(planned_steps(words), step.seconds, step.gibibytes, cost.seconds, cost.gibibytes or 0.0)


if __name__ == "__main__":
    length = measured(sys.argv[1:])
    hours = length.steps * length.seconds / 3600
    sys.stdout.write(
        f"{length.steps:,} steps of {length.seconds:.1f} CPU seconds and {length.gibibytes:.2f} GiB: {hours:,.1f} "
        f"hours of one core; a scene: {length.scene_seconds:.1f} CPU seconds and {length.scene_gibibytes:.2f} GiB\n"
    )
