"""The three commands for a folder of noisy cubes, with nothing clean anywhere: adapt, test, predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import NonIIDGaussian
from experiments.cli import main
from lightning_modules import read_weights
from tests.datamodules.estimation.scenes import clean_scene

NAMES = ("amber", "birch", "cedar")


@pytest.fixture
def cubes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three noisy cubes without wavelengths in a folder, the last of them held back; the words that name them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cubes").mkdir()
    for number, name in enumerate(NAMES):
        noisy = NonIIDGaussian()(clean_scene(31, 64, number), torch.Generator().manual_seed(number))
        np.save(tmp_path / "cubes" / f"{name}.npy", noisy.numpy())
    return ["--data.root", "cubes", "--data.wavelengths", "400:700:31", "--data.axes", "CHW"]


def test_a_folder_adapts_tests_and_is_restored(cubes: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    target = [*cubes, "--data.unobserved", "[cedar]", "--data.crop", "64", "--trainer.enable_progress_bar", "false"]
    short = ["--synthesis", "null", "--pictures", "null", "--data.patches_per_epoch", "8", "--trainer.max_epochs", "1"]
    assert main(["adapt", *target, *short]) == 0
    (checkpoint,) = Path("runs").rglob("last.ckpt")
    shipped = Path(__file__).parents[2] / "experiments" / "hir_align" / "checkpoints" / "gaussian_subspace.ckpt"
    before, after = read_weights(shipped), read_weights(checkpoint)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert main(["test", *target, "--pictures", "null", "--ckpt_path", str(checkpoint)]) == 0
    assert main(["predict", *cubes, "--output", "restored", "--ckpt_path", str(checkpoint)]) == 0
    for name in NAMES:
        restored, noisy = np.load(f"restored/{name}.npy"), np.load(f"cubes/{name}.npy")
        assert restored.shape == noisy.shape
        clean = clean_scene(31, 64, NAMES.index(name)).numpy()
        assert np.square(restored - clean).mean() < 0.25 * np.square(noisy - clean).mean()
    assert "Traceback" not in capfd.readouterr().err
