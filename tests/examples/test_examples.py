"""Every example does what it says, run as its reader runs it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import hyperalign
from datamodules import HSIDwrD, NonIIDGaussian
from experiments.cli import main
from tests.datamodules.estimation.scenes import clean_scene

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def cubes(tmp_path: Path) -> Path:
    """Three clean cubes of 31 bands, 48 x 48 pixels."""
    for number, name in enumerate(("amber", "birch", "cedar")):
        np.save(tmp_path / f"{name}.npy", clean_scene(31, 48, number).numpy())
    return tmp_path


@pytest.fixture
def in_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(EXAMPLES)


@pytest.mark.usefixtures("in_examples")
def test_own_network_and_data_set_train_and_the_checkpoint_describes_them(cubes: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    words = ["--config", "own.yaml", "--config", "tasks/gaussian", "--config", "hir_align/pretrain"]
    small = ["--data.patches_per_epoch", "8", "--data.validation", "[cedar]", "--trainer.max_epochs", "1"]
    places = ["--data.root", str(cubes), "--data.cache", str(tmp_path / "cache")]
    assert main(["fit", *words, *small, *places, "--trainer.default_root_dir", str(runs)]) == 0
    checkpoint = next(runs.rglob("last.ckpt"))
    network = hyperalign.load(checkpoint, trust=["mynet"])
    assert type(network).__name__ == "TinyNet"
    restored = hyperalign.restore(np.load(cubes / "amber.npy"), checkpoint, trust=["mynet"])
    assert restored.shape == (31, 48, 48)


def test_fifteen_lines_adapt_and_restore(cubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = tmp_path / "noisy"
    noisy.mkdir()
    for number, path in enumerate(sorted(cubes.glob("*.npy"))):
        cube = torch.from_numpy(np.load(path))
        np.save(noisy / path.name, NonIIDGaussian()(cube, torch.Generator().manual_seed(number)).numpy())
    known = ["--data.wavelengths", "400:700:31", "--data.axes", "CHW", "--data.crop", "48"]
    short = ["--synthesis", "null", "--data.patches_per_epoch", "4", "--trainer.max_epochs", "1", "--pictures", "null"]
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["adapt_and_restore.py", str(noisy), str(out), *known, *short])
    runpy.run_path(str(EXAMPLES / "adapt_and_restore.py"))
    restored, clean = np.load(out / "amber_restored.npy"), np.load(cubes / "amber.npy")
    assert np.square(restored - clean).mean() < 0.25 * np.square(np.load(noisy / "amber.npy") - clean).mean()


def test_the_script_is_as_short_as_the_documentation_says() -> None:
    lines = (EXAMPLES / "adapt_and_restore.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 15


def test_clean_cubes_become_pairs_that_the_data_set_reads(
    cubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HSIDwrD, "scene_size", (64, 40))
    monkeypatch.setattr(sys, "argv", ["hsidwrd_layout.py", str(cubes), str(tmp_path / "pairs")])
    runpy.run_path(str(EXAMPLES / "hsidwrd_layout.py"))
    data = HSIDwrD(str(tmp_path / "pairs"), split="all", removed_channels=[], cache=str(tmp_path / "cache"))
    clean, noisy = data.read_scene("1").cube, data.read_measured("1", "observation").cube
    assert torch.allclose(clean[0, :48], torch.from_numpy(np.load(cubes / "amber.npy"))[0, :, :40], atol=2e-4)
    assert torch.equal(clean[:, 48:], clean[:, 32:48].flip(1))
    # Two counts of 4096, fifty times as strong, and of a bright pixel nine more.
    assert 0.02 < float((noisy - clean).std()) < 0.12
