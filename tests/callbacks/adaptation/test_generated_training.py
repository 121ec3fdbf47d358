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

from callbacks import CubeSource, ExternalCubes, GeneratedTraining, GuideDiagnostics, ProxyGeneration
from callbacks.adaptation.generated_scenes import generate_cubes
from callbacks.adaptation.generated_training import GeneratedSet
from callbacks.generators import CubeRequest
from datamodules import MappedScene, generator_for
from tests.callbacks.tiny import (
    WAVELENGTHS,
    MiniScenes,
    store_files,
    tiny_data,
    tiny_module,
    tiny_trainer,
    weights_of,
)

OTHER = (450.0, 480.0, 505.0, 525.0, 548.0, 575.0, 602.0, 640.0, 680.0)


class NoiseCubes(CubeSource):
    """Uniform noise from the request's generator; keeps what it was asked for."""

    def __init__(self, side: int = 20, low: float = 0.0, bands: int = 8) -> None:
        self.side, self.low, self.bands = side, low, bands
        self.requests: list[CubeRequest] = []

    def __call__(self, request: CubeRequest) -> Tensor:
        self.requests.append(request)
        return self.low + torch.rand(self.bands, self.side, self.side, generator=request.generator)

    def settings(self) -> dict[str, Any]:
        return {"class": "NoiseCubes"}


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
    store: Path, source: CubeSource, ratio: int = 2, training: GeneratedSet = "mixed", rounds: int = 1
) -> list[Callback]:
    return [ProxyGeneration(str(store), rounds=rounds), GeneratedTraining(source, ratio, training)]


@pytest.fixture
def two_proxies(tmp_path: Path) -> list[MappedScene]:
    data = MiniScenes(cache=str(tmp_path / "cache"))
    for name in ("amber", "birch"):
        np.save(tmp_path / f"{name}.npy", data.read_scene(name).cube.numpy())
    return [MappedScene(name, tmp_path / f"{name}.npy", WAVELENGTHS, f"the {name}") for name in ("amber", "birch")]


def generate(proxies: Sequence[MappedScene], root: Path, source: CubeSource, **changes: Any) -> list[MappedScene]:  # noqa: ANN401
    return [one.scene for one in generate_cubes(source, proxies, root, **({"ratio": 2, "seed": 3} | changes))]


def test_requests_say_everything_and_cubes_are_stored_as_given(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    source = NoiseCubes()
    scenes = generate(two_proxies, tmp_path / "store", source)
    assert [scene.name for scene in scenes] == [f"{name} generated {n}" for name in ("amber", "birch") for n in (0, 1)]
    assert [request.number for request in source.requests] == [0, 2, 1, 3]
    for request, scene, name in zip(source.requests, scenes, ("amber", "amber", "birch", "birch"), strict=True):
        proxy = next(one for one in two_proxies if one.name == name)
        assert torch.equal(request.proxy, proxy.load().cube)
        assert (request.wavelengths, request.caption, request.seed) == (WAVELENGTHS, f"the {name}", 3)
        assert (scene.wavelengths, scene.caption) == (WAVELENGTHS, "")
    generator = generator_for(3, "generated", 0, "birch", 1)
    assert torch.equal(scenes[3].load().cube, torch.rand(8, 20, 20, generator=generator))


def test_the_store_says_seed_seconds_and_shape(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    from callbacks.adaptation.store import Store

    generate(two_proxies, tmp_path, NoiseCubes())
    (folder,) = tmp_path.glob("generated-*")
    store = Store(tmp_path, folder.name)
    metadata = store.read("birch/1").metadata
    assert (metadata["seed"], metadata["number"], metadata["shape"]) == (3, 3, [8, 20, 20])
    assert metadata["seconds"] >= 0


def test_only_what_is_missing_or_damaged_is_made(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    first = generate(two_proxies, tmp_path, NoiseCubes())
    source = NoiseCubes()
    assert generate(two_proxies, tmp_path, source) == first
    assert source.requests == []
    more = generate(two_proxies, tmp_path, source, ratio=3)
    assert [request.number for request in source.requests] == [4, 5]
    assert [one for one in more if not one.name.endswith("2")] == first
    kept = first[1].path.read_bytes()
    first[1].path.write_bytes(kept[:-4] + b"\0\0\0\0")
    again = NoiseCubes()
    generate(two_proxies, tmp_path, again)
    assert [request.number for request in again.requests] == [2]
    assert first[1].path.read_bytes() == kept


def test_rounds_and_seeds_give_other_cubes(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    first = generate(two_proxies, tmp_path, NoiseCubes())
    for changes in ({"round_number": 1}, {"seed": 4}):
        source = NoiseCubes()
        other = generate(two_proxies, tmp_path, source, **changes)
        assert not torch.equal(other[0].load().cube, first[0].load().cube)
        assert [request.number for request in source.requests] == (
            [4, 6, 5, 7] if "seed" not in changes else [0, 2, 1, 3]
        )


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            NoiseCubes(bands=7),
            r"^The cube 0 of NoiseCubes has shape \(7, 20, 20\), where the target's 8 bands x height",
        ),
        (NoiseCubes(low=0.5), r"^The cube 0 of NoiseCubes reaches from 0\.5\d* to 1\.\d+, where training expects"),
        (NoiseCubes(low=float("nan")), r"^The cube 0 of NoiseCubes reaches from nan to nan, where training expects"),
        (NoiseCubes(side=15), r"^NoiseCubes gave a cube of 15 x 15 pixels, smaller than a training patch of 16 x 16"),
    ],
)
def test_cubes_that_cannot_be_trained_on_are_one_sentence(
    two_proxies: list[MappedScene], tmp_path: Path, source: NoiseCubes, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        generate(two_proxies, tmp_path, source, smallest=16)
    assert not list(tmp_path.glob("generated-*/**/*.npy"))


def test_stored_cubes_too_are_compared_with_the_patch(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    generate(two_proxies, tmp_path, NoiseCubes(), smallest=16)
    with pytest.raises(ValueError, match=r"gave a cube of 20 x 20 pixels, smaller than a training patch of 32 x 32"):
        generate(two_proxies, tmp_path, NoiseCubes(), smallest=32)


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
