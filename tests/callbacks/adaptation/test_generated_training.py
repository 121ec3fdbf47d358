"""Training on generated cubes: which scenes are trained on, what is read again, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from lightning import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from callbacks import CubeGenerator, ExternalCubes, GeneratedTraining, GuideDiagnostics, ProxyGeneration
from callbacks.adaptation.generated_training import GeneratedSet
from callbacks.generators import CubeRequest
from datamodules import MappedScene
from tests.callbacks.adaptation.noise_cubes import NoiseCubes
from tests.callbacks.tiny import (
    WAVELENGTHS,
    store_files,
    tiny_data,
    tiny_module,
    tiny_trainer,
    weights_of,
)

OTHER = (450.0, 480.0, 505.0, 525.0, 548.0, 575.0, 602.0, 640.0, 680.0)


class CountedCubes(ExternalCubes):
    """Counts the cubes that are read."""

    reads = 0

    def __call__(self, request: CubeRequest) -> Tensor:
        type(self).reads += 1
        return super().__call__(request)


def external_folder(folder: Path, count: int = 4, side: int = 20) -> Path:
    """Write smooth cubes with other band centres: one .mat that says them, the others .npy that do not."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        cube = np.random.default_rng(index).random((9, 1, 1)) * np.linspace(0.2, 1, side * side).reshape(side, side)
        if index:
            np.save(folder / f"{index}.npy", cube.astype(np.float32))
        else:
            scipy.io.savemat(folder / "0.mat", {"cube": cube.transpose(1, 2, 0), "wavelengths": np.array(OTHER)})
    return folder


def external(folder: Path, **changes: Any) -> CountedCubes:  # noqa: ANN401
    given: dict[str, Any] = {"bands": "interpolate", "wavelengths": list(OTHER)}
    return CountedCubes(str(folder), **(given | changes))


def generated_stages(
    store: Path, source: CubeGenerator, ratio: int = 2, training: GeneratedSet = "mixed", rounds: int = 1
) -> list[Callback]:
    return [ProxyGeneration(str(store), rounds=rounds), GeneratedTraining(source, ratio, training)]


@pytest.mark.parametrize(("training", "proxy_count"), [("generated_only", 0), ("mixed", 3)])
def test_a_whole_fit_trains_on_the_cubes_of_a_folder(
    tmp_path: Path, training: GeneratedSet, proxy_count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, used = tiny_data(tmp_path), []
    original = data.use_training_scenes

    def spy(scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        used.append([scene.path for scene in scenes])
        assert weights is None
        original(scenes, weights)

    monkeypatch.setattr(data, "use_training_scenes", spy)
    callbacks = generated_stages(tmp_path / "store", external(external_folder(tmp_path / "cubes")), training=training)
    module = tiny_module(tmp_path)
    before = weights_of(module)
    tiny_trainer(tmp_path, callbacks).fit(module, datamodule=data)
    assert not torch.equal(weights_of(module), before)
    kinds = [path.relative_to(tmp_path / "store").parts[0].split("-")[0] for path in used[-1]]
    assert (kinds.count("proxies"), kinds.count("generated")) == (proxy_count, 6)
    # Six cubes of four: all of them, two of them twice.
    stage = callbacks[1]
    assert isinstance(stage, GeneratedTraining)
    digests = [scene.path.name.split(".")[1] for scene in stage.made_scenes]
    assert (len(digests), len(set(digests))) == (6, 4)
    clean = {path.read_bytes() for path in (tmp_path / "cache").rglob("*.npy")}
    assert len(clean) == 5
    assert not clean & {path.read_bytes() for path in used[-1]}


def test_rounds_take_other_cubes_and_a_resumed_fit_reads_none_again(tmp_path: Path) -> None:
    folder = external_folder(tmp_path / "cubes", 12)

    def fit(name: str, checkpoint: Path | None) -> Tensor:
        module = tiny_module(tmp_path)
        torch.manual_seed(1)
        saver = ModelCheckpoint(tmp_path / name, filename="{epoch}", save_top_k=-1)
        callbacks = [*generated_stages(tmp_path / "store", external(folder), rounds=2), saver]
        trainer = tiny_trainer(tmp_path, callbacks, max_epochs=4, enable_checkpointing=True)
        trainer.fit(module, datamodule=tiny_data(tmp_path), ckpt_path=None if checkpoint is None else str(checkpoint))
        return weights_of(module)

    CountedCubes.reads = 0
    whole = fit("first", None)
    assert CountedCubes.reads == 2 * 6
    stored = [path for path in store_files(tmp_path / "store") if path.startswith("generated-")]
    assert len({path.split(".")[-2] for path in stored}) == 12
    CountedCubes.reads = 0
    assert torch.equal(fit("second", tmp_path / "first" / "epoch=2.ckpt"), whole)
    assert torch.equal(fit("third", None), whole)
    assert CountedCubes.reads == 0


@pytest.mark.parametrize("which", ["cached", "linked", "own file"])
def test_clean_target_cubes_are_refused_before_anything_is_computed(
    tmp_path: Path, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiny_data(tmp_path)
    data.prepare_data()
    folder = tmp_path / "cache" / "clean" / "MiniScenes" / "ember"
    (cube,) = folder.glob("*.npy")
    if which == "linked":
        folder = tmp_path / "links"
        folder.mkdir()
        (folder / "innocent.npy").symlink_to(cube)
    elif which == "own file":
        folder = tmp_path / "originals"
        folder.mkdir()
        shutil.copy(cube, folder / "ember.npy")
        monkeypatch.setattr(
            data, "source_files", lambda name: [folder / "ember.npy"] if name == "ember" else [], raising=True
        )
    source = external(folder, bands="refuse", wavelengths=list(WAVELENGTHS))
    trainer = tiny_trainer(tmp_path, generated_stages(tmp_path / "store", source))
    with pytest.raises(ValueError, match=r"\.npy of CountedCubes is a clean target cube, which adaptation must not"):
        trainer.fit(tiny_module(tmp_path), datamodule=data)
    assert store_files(tmp_path / "store") == {}


def test_a_missing_folder_is_noticed_before_the_proxies_are_made(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, generated_stages(tmp_path / "store", external(tmp_path / "none")))
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))
    assert store_files(tmp_path / "store") == {}


def test_it_stands_after_the_proxies(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, generated_stages(tmp_path / "store", NoiseCubes())[::-1])
    with pytest.raises(ValueError, match=r"^GeneratedTraining needs ProxyGeneration before it: list callbacks\.Proxy"):
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))


def test_impossible_settings_are_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^GeneratedTraining got ratio=0: give at least 1 cube per proxy\.$"):
        GeneratedTraining(NoiseCubes(), ratio=0)
    wrong: Any = "proxy_only"
    with pytest.raises(ValueError, match=r"got training='proxy_only': choose one of generated_only, mixed\.$"):
        GeneratedTraining(NoiseCubes(), training=wrong)


def test_two_processes_share_the_cubes_and_draw_the_diagnostics_once(tmp_path: Path) -> None:
    folder = external_folder(tmp_path / "cubes")
    stored = []
    for processes in (1, 2):
        root = tmp_path / str(processes)
        diagnostics = GuideDiagnostics(features="pixels", method="pca", patches=4, patch_size=8, pixels=4, scenes=1)
        trainer = tiny_trainer(
            root,
            [*generated_stages(root / "store", external(folder)), diagnostics],
            devices=processes,
            strategy="ddp_fork" if processes > 1 else "auto",
            limit_train_batches=1,
        )
        trainer.fit(tiny_module(root), datamodule=tiny_data(root))
        stored.append(store_files(root / "store"))
        assert len(list((root / "diagnostics" / "round_1").rglob("*.png"))) == 4
    assert stored[0] == stored[1]
    assert len(stored[0]) == 3 + 6
