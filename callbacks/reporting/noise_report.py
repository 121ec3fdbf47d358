"""Callback: what was found out about the noise of the observations, printed, drawn and kept."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from lightning import Callback, LightningModule, Trainer
from rich import box
from rich.console import Console
from rich.table import Table

from callbacks.reporting.loggers import log_picture
from datamodules.degradations import Degradation, EstimatedNoise, SeveralTasks
from datamodules.estimation import NoiseEstimate
from hyperalign.files import replacing_path
from hyperalign.folders import run_folder
from hyperalign.trainers import datamodule_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

SHARES = {"stripe_share": "stripes", "dead_share": "dead lines", "impulse_share": "impulses"}
"""Shares of a band, and what they are called."""


class NoiseReport(Callback):
    """Print, draw and keep the estimate of `datamodules.EstimatedNoise` when training starts.

    Leaves `noise.json`, which `data.degradation.init_args.estimate` of a later run takes, and `noise.png`, the standard
    deviation and the shares of stripes, dead lines and impulses band by band. Other tasks are given and leave nothing.

    Args:
        folder: where both go; the run's log folder when None.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, once the observations have been measured."""
        task = getattr(datamodule_of(trainer), "degradation", None)
        folder = Path(self.folder) if self.folder else run_folder(trainer)
        if not trainer.is_global_zero or (estimate := estimate_of_task(task)) is None:
            return
        estimate.write(folder / "noise.json")
        with replacing_path(folder / "noise.png") as path:
            drawn(estimate).savefig(path, dpi=110, format="png")
        log_picture(trainer.loggers, "pictures/noise", folder / "noise.png", trainer.global_step)
        Console().print(as_table(estimate), markup=False, highlight=False)
        log.info("noise estimate written to %s", folder / "noise.json")


def estimate_of_task(task: Degradation | None) -> NoiseEstimate | None:
    """Return what a task has measured, None for tasks that are given."""
    tasks = task.tasks if isinstance(task, SeveralTasks) else (task,)
    return next((one.estimate for one in tasks if isinstance(one, EstimatedNoise)), None)


def as_table(estimate: NoiseEstimate) -> Table:
    """Return one row a scene: its family, sigma on the 0 to 255 scale, and mean shares over its bands."""
    table = Table(
        title="Noise of the observations", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False
    )
    table.add_column("scene", overflow="fold", min_width=16)
    # Heads of two words stand in two lines, so that names and noise fit a terminal of 80 columns.
    for name in ("noise", "sigma (of 255)", *SHARES.values(), "missing bands"):
        table.add_column(name.replace(" ", "\n", 1), no_wrap=True)
    for scene in estimate.scenes:
        sigmas = np.array([band.sigma for band in scene.bands if not band.missing] or [0.0]) * 255.0
        shares = [f"{np.mean([getattr(band, key) for band in scene.bands]):.1%}" for key in SHARES]
        spread = f"{np.median(sigmas):.1f} ({sigmas.min():.0f} to {sigmas.max():.0f})"
        table.add_row(scene.name, scene.family, spread, *shares, str(sum(band.missing for band in scene.bands)))
    return table


def drawn(estimate: NoiseEstimate) -> Figure:
    """Draw sigma, and each kind of share, against wavelength; one line a scene."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    planes = figure.subplots(2, 2).ravel()
    panels = {"sigma": "standard deviation (of 255)", **{key: f"{name} (share)" for key, name in SHARES.items()}}
    order = np.argsort(estimate.wavelengths)
    centres = np.asarray(estimate.wavelengths)[order]
    for plane, (key, title) in zip(planes, panels.items(), strict=True):
        for scene in estimate.scenes:
            values = np.array([getattr(band, key) for band in scene.bands])[order] * (255.0 if key == "sigma" else 1.0)
            plane.plot(centres, values, linewidth=1, marker=".", markersize=3, label=scene.name)
        plane.set_title(title, fontsize=9)
        plane.set_xlabel("wavelength (nm)", fontsize=8)
        plane.tick_params(labelsize=7)
        plane.set_ylim(bottom=0)
    planes[0].legend(fontsize=6)
    return figure
