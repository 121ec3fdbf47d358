"""The table of gains without truth, from a test run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer

from callbacks import GainWithoutTruth
from datamodules import Folder
from hyperalign.errors import InputError
from lightning_modules import RestorationModule
from tests.callbacks.tiny import WAVELENGTHS, MiniNetwork, source_checkpoint
from tests.datamodules.estimation.scenes import clean_scene


def run_test(folder: Path, sigma: float, clean: bool, table: GainWithoutTruth) -> None:
    for number, name in enumerate(("amber", "birch")):
        cube = clean_scene(8, 48, number).numpy()
        noise = sigma * np.random.default_rng(number).standard_normal(cube.shape).astype(np.float32)
        for kind, values in (("noisy", cube + noise), ("clean", cube)):
            (folder / kind).mkdir(exist_ok=True)
            np.save(folder / kind / f"{name}.npy", values)
    data = Folder(
        str(folder / "noisy"),
        role="target",
        axes="CHW",
        wavelengths=list(WAVELENGTHS),
        trained_wavelengths=list(WAVELENGTHS),
        patch_size=16,
        clean_root=str(folder / "clean") if clean else None,
    )
    network = MiniNetwork()
    module = RestorationModule(network, source=source_checkpoint(folder))
    weight = torch.full((3, 3), 1.0 / 9.0)
    weight[1, 1] -= 1.0
    with torch.no_grad():
        # The mean over nine pixels, where the source keeps what it is given nearly as it is.
        network.convolution.weight.copy_(torch.eye(8)[:, :, None, None] * weight)
        network.convolution.bias.zero_()  # type: ignore[union-attr]
    Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        default_root_dir=str(folder),
        callbacks=[table],
    ).test(module, datamodule=data, verbose=False)


def test_scenes_are_listed_with_the_true_change_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    callback = GainWithoutTruth(str(tmp_path))
    run_test(tmp_path, 0.1, True, callback)
    assert callback.written == tmp_path / "gain.md"
    rows = list(csv.DictReader((tmp_path / "gain.csv").open()))
    assert [row["scene"] for row in rows] == ["amber.npy", "birch.npy"]
    for row in rows:
        assert float(row["low"]) < float(row["true"]) < float(row["high"])
        assert float(row["change"]) > 2
    text = (tmp_path / "gain.md").read_text()
    assert "| observed | **mean** |" in text
    assert "| observed | birch.npy | adapted |" in text
    assert "estimated without truth" in capsys.readouterr().out


def test_without_clean_cubes_the_estimate_is_the_same(tmp_path: Path) -> None:
    for clean in (True, False):
        run_test(tmp_path, 0.1, clean, GainWithoutTruth(str(tmp_path / str(clean)), side=32))
    with_truth, without = (list(csv.DictReader((tmp_path / one / "gain.csv").open())) for one in ("True", "False"))
    assert [row["true"] for row in without] == ["", ""]
    assert [row["change"] for row in with_truth] == [row["change"] for row in without]


def test_clean_scenes_are_named_and_give_no_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_test(tmp_path, 0.0, False, GainWithoutTruth(str(tmp_path)))
    assert not (tmp_path / "gain.csv").exists()
    assert "No error of amber.npy is estimated without truth: it looks like" in caplog.text


def test_a_tiny_window_is_refused() -> None:
    with pytest.raises(InputError, match="side=16: give at least 32"):
        GainWithoutTruth(side=16)
