"""A store that commit a92c4af filled is used as it is: nothing in it is made again.

`store_a92c4af` was written by `fit` at that commit. Scenes, task and source weights are exact in binary, so that its
keys are the same on every machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from datamodules import BandMissing, MappedScene, Scene
from tests.callbacks import tiny
from tests.callbacks.tiny import WAVELENGTHS, MiniNetwork, MiniScenes, stages, store_files, tiny_data, tiny_module

OLD = Path(__file__).with_name("store_a92c4af")


class ExactScenes(MiniScenes):
    """Scenes of 64ths, which remember what they are trained on."""

    handed: tuple[str, ...] = ()

    def read_scene(self, name: str) -> Scene:
        band, row, column = torch.meshgrid(torch.arange(8), torch.arange(16), torch.arange(16), indexing="ij")
        return Scene(name, ((7 * band + 3 * row + 5 * column * (row % 3)) % 61 + 2) / 64, WAVELENGTHS)

    def use_training_scenes(self, scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        self.handed = tuple(sorted(str(scene.path) for scene in scenes))
        super().use_training_scenes(scenes, weights)


def exact_source(folder: Path) -> str:
    state = MiniNetwork().state_dict()
    torch.save(
        {key: (torch.arange(one.numel()).reshape(one.shape) % 7 - 3) / 256 for key, one in state.items()},
        folder / "source.pt",
    )
    return str(folder / "source.pt")


def adapted(store: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ExactScenes:
    """One step of adaptation to one scene."""
    monkeypatch.setattr(tiny, "MiniScenes", ExactScenes)
    monkeypatch.setattr(tiny, "source_checkpoint", exact_source)
    folder.mkdir()
    data = tiny_data(folder, degradation=BandMissing(0.25), observed=["amber"], unobserved=["delta"])
    tiny.tiny_trainer(folder, stages(store, ratio=1), max_steps=1).fit(tiny_module(folder), datamodule=data)
    assert isinstance(data, ExactScenes)
    return data


def states(store: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in store.rglob("*") if path.is_file()}


def test_nothing_of_an_older_store_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    shutil.copytree(OLD, store)
    before = states(store)
    data = adapted(store, tmp_path / "run", monkeypatch)
    assert states(store) == before
    assert data.handed == tuple(
        sorted(str(path) for stage in ("proxies", "synthesised") for path in store.glob(f"{stage}-*/**/*.npy"))
    )


def test_other_scenes_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    shutil.copytree(OLD, store)
    monkeypatch.setattr(
        ExactScenes, "read_scene", lambda self, name: Scene(name, torch.full((8, 16, 16), 0.5), WAVELENGTHS)
    )
    adapted(store, tmp_path / "run", monkeypatch)
    assert len(store_files(store)) == 2 * len(store_files(OLD))
