"""What is left of an estimate for a person and for a later run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import LightningDataModule, Trainer
from matplotlib.image import imread
from rich.console import Console

from callbacks import NoiseReport
from callbacks.reporting.noise_report import as_table, drawn
from datamodules import ComplexMixture, EstimatedNoise, NonIIDGaussian
from datamodules.degradations import Degradation
from datamodules.estimation import BandNoise, read_estimate
from lightning_modules import RestorationModule
from tests.callbacks.tiny import WAVELENGTHS, MiniNetwork
from tests.datamodules.estimation.scenes import clean_scene


class _Data(LightningDataModule):
    def __init__(self, degradation: Degradation) -> None:
        super().__init__()
        self.degradation = degradation


def reported(folder: Path, task: Degradation) -> None:
    trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=str(folder))
    trainer.datamodule = _Data(task)  # type: ignore[attr-defined]
    NoiseReport(str(folder)).on_train_start(trainer, RestorationModule(MiniNetwork()))


def measured() -> EstimatedNoise:
    task = EstimatedNoise()
    noisy = ComplexMixture()(clean_scene(8, 64), torch.Generator().manual_seed(0))
    task.measure([noisy], ["amber"], WAVELENGTHS)
    return task


def test_a_measured_task_is_kept_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = measured()
    reported(tmp_path, task)
    assert read_estimate(tmp_path / "noise.json") == task.estimate
    assert EstimatedNoise(str(tmp_path / "noise.json")).settings() == task.settings()
    assert imread(tmp_path / "noise.png").shape[:2] == (660, 880)
    assert "Noise of the observations" in capsys.readouterr().out


def test_a_task_that_is_given_leaves_nothing(tmp_path: Path) -> None:
    reported(tmp_path, NonIIDGaussian())
    assert not list(tmp_path.iterdir())


def test_names_and_numbers_fit_a_terminal_of_eighty_columns() -> None:
    estimate = measured().estimate
    assert estimate is not None
    bands = tuple(BandNoise(variance=(sigma / 255) ** 2) for sigma in (10, 41, 72))
    scene = replace(estimate.scenes[0], name="motorcycle_01.img", family="gaussian", bands=bands)
    console = Console(width=80, record=True)
    console.print(as_table(replace(estimate, scenes=(scene,))), markup=False)
    text = console.export_text()
    assert "motorcycle_01.img" in text
    for shown in ("missing", "bands", "impulses", "(of 255)", "(10 to 72)"):
        assert shown in text


def test_the_table_and_the_figure_show_every_scene() -> None:
    estimate = measured().estimate
    assert estimate is not None
    console = Console(width=120, record=True)
    console.print(as_table(estimate))
    assert "amber" in console.export_text()
    planes = drawn(estimate).axes
    assert [len(plane.lines) for plane in planes] == [1, 1, 1, 1]
    assert np.max(planes[0].lines[0].get_ydata()) == pytest.approx(max(b.sigma for b in estimate.scenes[0].bands) * 255)
