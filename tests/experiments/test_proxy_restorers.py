"""Proxies by whatever restores, by config: another network, a folder, flips; the network of the fit learns on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import run
from tests.datamodules.estimation.scenes import clean_scene

SHIPPED = Path(__file__).resolve().parents[2] / "experiments" / "hir_align" / "checkpoints"
ANOTHER = """
proxy:
  class_path: callbacks.ProxyGeneration
  init_args:
    restorer:
      class_path: callbacks.OtherRestorer
      init_args:
        checkpoint: {checkpoint}
        network:
          class_path: lightning_modules.SERT
          init_args:
            dim: 32
            window_sizes: [8, 16]
            depths: [2, 2]
            num_heads: [2, 2]
            split_sizes: [1, 2]
            initialisation: identity
"""


def noisy(folder: Path) -> Path:
    """Write one noisy cube of 31 bands."""
    folder.mkdir()
    clean = clean_scene(31, 32, 0).numpy()
    noise = 30 / 255 * np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)
    np.save(folder / "amber.npy", clean + noise)
    return folder


def restorer_of(kind: str, folder: Path) -> list[str]:
    """Return the words that name what makes the proxies."""
    if kind == "another":
        (folder / "another.yaml").write_text(ANOTHER.format(checkpoint=SHIPPED / "complex.ckpt"))
        return ["--config", str(folder / "another.yaml")]
    if kind == "folder":
        restored = folder / "restored"
        restored.mkdir()
        np.save(restored / "amber.npy", clean_scene(31, 32, 0).numpy())
        return [
            "--proxy.restorer",
            "FolderRestorer",
            "--proxy.restorer.root",
            str(restored),
            "--proxy.restorer.axes",
            "CHW",
        ]
    return ["--proxy.restorer", "FlipRestorer"]


@pytest.mark.parametrize("kind", ["another", "folder", "flips"])
def test_a_network_learns_on_proxies_of(kind: str, tmp_path: Path) -> None:
    words = ["fit", "--config", "backbones/sert_compact", "--config", "hir_align/adapt", "--config", "data/own_cubes"]
    words += ["--data.root", str(noisy(tmp_path / "cubes")), "--data.wavelengths", "400:700:31", "--data.axes", "CHW"]
    words += ["--data.trained_wavelengths", "400:700:31", "--model.source", str(SHIPPED / "gaussian.ckpt")]
    words += ["--data.patch_size", "16", "--data.batch_size", "1", "--trainer.max_steps", "1", "--synthesis", "null"]
    words += ["--averaging", "null", "--pictures", "null", "--proxy.store", str(tmp_path / "store")]
    words += ["--trainer.default_root_dir", str(tmp_path / "runs"), *restorer_of(kind, tmp_path)]
    command = run(words)
    assert command.trainer.global_step == 1
    (settings,) = (tmp_path / "store").glob("proxies-*/settings.json")
    named = {"another": "OtherRestorer", "folder": "FolderRestorer", "flips": "FlipRestorer"}[kind]
    assert json.loads(settings.read_text())["restorer"] == named
    (proxy,) = settings.parent.glob("*.npy")
    clean = clean_scene(31, 32, 0).numpy()
    error, before = np.square(np.load(proxy) - clean).mean(), (30 / 255) ** 2
    assert error == 0.0 if kind == "folder" else error < 0.8 * before, error / before
