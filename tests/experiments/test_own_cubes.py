"""The three commands for a folder of noisy cubes, with nothing clean anywhere: adapt, test, predict."""

from __future__ import annotations

import shlex
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
    following = [line for line in capfd.readouterr().out.splitlines() if line.startswith("next:")][-1]
    (checkpoint,) = Path("runs").rglob("last.ckpt")
    shipped = Path(__file__).parents[2] / "experiments" / "hir_align" / "checkpoints" / "gaussian_subspace.ckpt"
    before, after = read_weights(shipped), read_weights(checkpoint)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert main(["test", *target, "--pictures", "null", "--ckpt_path", str(checkpoint)]) == 0
    # what the run printed can be pasted: it says how these files are to be read
    assert main(shlex.split(following.removeprefix("next:"))[1:]) == 0
    for name in NAMES:
        restored, noisy = np.load(f"restored/{name}.npy"), np.load(f"cubes/{name}.npy")
        assert restored.shape == noisy.shape
        clean = clean_scene(31, 64, NAMES.index(name)).numpy()
        assert np.square(restored - clean).mean() < 0.25 * np.square(noisy - clean).mean()
    assert "Traceback" not in capfd.readouterr().err


def test_a_network_of_31_bands_slides_along_102(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cubes").mkdir()
    clean = clean_scene(102, 32, 0)
    noisy = clean + 30 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    np.save("cubes/one.npy", noisy.numpy())
    words = ["--data.root", "cubes", "--data.wavelengths", "430:860:102", "--data.axes", "CHW"]
    shipped = Path(__file__).parents[2] / "experiments" / "hir_align" / "checkpoints" / "gaussian.ckpt"
    windows = [*words, "--data.bands", "windows"]
    assert main(["predict", *windows, "--output", "plain", "--ckpt_path", str(shipped)]) == 0
    assert np.square(np.load("plain/one.npy") - clean.numpy()).mean() < 0.1 * np.square((noisy - clean).numpy()).mean()
    short = ["--synthesis", "null", "--pictures", "null", "--gain", "null", "--noise", "null"]
    patches = ["--data.patch_size", "16", "--data.batch_size", "1", "--data.patches_per_epoch", "2"]
    assert main(["adapt", *windows, *patches, *short, "--trainer.max_epochs", "1"]) == 0
    (checkpoint,) = Path("runs").rglob("last.ckpt")
    before, after = read_weights(shipped), read_weights(checkpoint)
    assert set(before) == set(after) and any(not torch.equal(before[name], after[name]) for name in before)
    assert main(["predict", *words, "--output", "adapted", "--ckpt_path", str(checkpoint)]) == 0
    assert np.load("adapted/one.npy").shape == (102, 32, 32)
    narrow = ["--data.root", "narrow", "--data.wavelengths", "430:860:20", "--data.axes", "CHW"]
    (tmp_path / "narrow").mkdir()
    np.save("narrow/one.npy", noisy[:20].numpy())
    assert main(["predict", *narrow, "--data.bands", "windows", "--output", "o", "--ckpt_path", str(shipped)]) != 0
    assert "has 20 bands, fewer than the 31 of the network: set data.init_args.bands" in capfd.readouterr().err
