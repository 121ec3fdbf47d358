"""Guide diagnostics: what is drawn of a whole tiny adaptation, the numbers behind it, and who is told."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback
from PIL import Image

from callbacks import ExternalCubes, GeneratedTraining, GuideDiagnostics, ProxyGeneration
from callbacks.reporting.diagnostics.embedding import principal_components
from callbacks.reporting.diagnostics.frechet import frechet_distance
from callbacks.reporting.diagnostics.samples import candidates, draw, patch_features
from lightning_modules import ClipError, ClipTowers
from tests.callbacks.reporting.picture_loggers import BiasedLogger, BoardLogger, SilentLogger
from tests.callbacks.tiny import WAVELENGTHS, stages, tiny_data, tiny_module, tiny_trainer, weights_of

SMALL: dict[str, Any] = {"features": "pixels", "method": "pca", "patches": 8, "patch_size": 12, "pixels": 30}


def fit_with(
    tmp_path: Path,
    diagnostics: GuideDiagnostics,
    callbacks: list[Callback] | None = None,
    **changes: Any,  # noqa: ANN401
) -> torch.Tensor:
    """Adapt for an epoch a round and return the weights."""
    module = tiny_module(tmp_path)
    torch.manual_seed(5)
    trainer = tiny_trainer(tmp_path, [*(callbacks or stages(tmp_path / "store")), diagnostics], **changes)
    trainer.fit(module, datamodule=tiny_data(tmp_path))
    return weights_of(module)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_round_leaves_pictures_coordinates_and_a_table_and_tells_every_logger(tmp_path: Path) -> None:
    loggers = [SilentLogger(), BiasedLogger(), BoardLogger()]
    fit_with(tmp_path, GuideDiagnostics(str(tmp_path / "out"), scenes=1, **SMALL), logger=loggers)
    out = tmp_path / "out" / "round_1"
    pictures = ["examples/amber", "examples/amber_spectra", "features", "spectra"]
    assert files(out) == sorted([*(f"{name}.png" for name in pictures), "features.csv", "spectra.csv", "distances.csv"])
    for name, count in (("features", 8), ("spectra", 30)):
        rows = table(out / f"{name}.csv")
        assert Counter(row["set"] for row in rows) == dict.fromkeys(
            ("degraded", "proxy", "synthesised", "clean"), count
        )
        assert {row["scene"] for row in rows if row["set"] == "degraded"} == {"amber", "birch", "coral"}
        assert {row["scene"] for row in rows if row["set"] == "clean"} == {"amber", "birch", "coral", "delta", "ember"}
        assert {row["scene"] for row in rows if row["set"] == "synthesised"} == {
            f"{scene} guide {index}" for scene in ("amber", "birch", "coral") for index in (0, 1)
        }
    biased, board = loggers[1], loggers[2]
    assert isinstance(biased, BiasedLogger) and isinstance(board, BoardLogger)
    assert biased.images == {f"diagnostics/{name}": ([str(out / f"{name}.png")], 0) for name in pictures}
    for name in pictures:
        with Image.open(out / f"{name}.png") as picture:
            assert board.experiment.images[f"diagnostics/{name}"] == ((picture.height, picture.width, 3), "HWC")
            assert np.asarray(picture.convert("L")).std() > 5
    distances = {row["set"]: float(row["frechet"]) for row in table(out / "distances.csv") if row["space"] == "spectra"}
    for label in ("degraded", "proxy", "synthesised"):
        assert loggers[0].metrics[f"diagnostics/spectra_frechet_{label}"] == pytest.approx(distances[label])


def test_numbers_are_those_of_the_samples(tmp_path: Path) -> None:
    diagnostics = GuideDiagnostics(str(tmp_path / "out"), **SMALL)
    callbacks = stages(tmp_path / "store")
    fit_with(tmp_path, diagnostics, callbacks)
    proxy, synthesis = callbacks
    assert isinstance(proxy, ProxyGeneration)
    data = tiny_data(tmp_path)
    made = synthesis.made_scenes  # type: ignore[attr-defined]
    sets = candidates(data, proxy.proxies, made, "synthesised", clean=True)
    drawn = {
        label: draw(scenes, WAVELENGTHS, patches=8, patch_size=12, pixels=30, seed=0) for label, scenes in sets.items()
    }
    plane = principal_components(torch.cat([one.spectra for one in drawn.values()]))
    rows = table(tmp_path / "out" / "round_1" / "spectra.csv")
    np.testing.assert_allclose([[float(row["x"]), float(row["y"])] for row in rows], plane.numpy(), atol=1e-9)
    found = {(row["space"], row["set"]): row for row in table(tmp_path / "out" / "round_1" / "distances.csv")}
    features = {label: patch_features(one.rgb, None) for label, one in drawn.items()}
    for space, points in (("features", features), ("spectra", {k: one.spectra for k, one in drawn.items()})):
        for label in ("degraded", "proxy", "synthesised"):
            expected = frechet_distance(points[label], points["clean"])
            assert float(found[space, label]["frechet"]) == pytest.approx(expected, abs=1e-9)
            assert found[space, label]["reference"] == "clean"


def test_training_is_the_same_with_and_without_and_rounds_have_folders(tmp_path: Path) -> None:
    plain = tiny_module(tmp_path)
    torch.manual_seed(5)
    trainer = tiny_trainer(tmp_path, stages(tmp_path / "store", rounds=2), max_epochs=4)
    trainer.fit(plain, datamodule=tiny_data(tmp_path))
    settings = SMALL | {"method": "tsne", "scenes": 0, "clean": False}
    diagnostics = GuideDiagnostics(**settings)
    callbacks = stages(tmp_path / "store", rounds=2)
    assert torch.equal(fit_with(tmp_path, diagnostics, callbacks, max_epochs=4), weights_of(plain))
    names = ["distances.csv", "features.csv", "features.png", "spectra.csv", "spectra.png"]
    assert files(tmp_path / "diagnostics") == [f"round_{number}/{name}" for number in (1, 2) for name in names]
    rows = table(tmp_path / "diagnostics" / "round_2" / "distances.csv")
    assert {(row["set"], row["reference"]) for row in rows} == {
        (label, "proxy") for label in ("degraded", "proxy", "synthesised")
    }


def test_generated_cubes_are_drawn_beside_their_proxies(tmp_path: Path) -> None:
    (tmp_path / "cubes").mkdir()
    for index in range(2):
        cube = np.random.default_rng(index).random((8, 20, 22), dtype=np.float32)
        np.save(tmp_path / "cubes" / f"{index}.npy", cube)
    source = ExternalCubes(str(tmp_path / "cubes"), wavelengths=list(WAVELENGTHS))
    callbacks: list[Callback] = [ProxyGeneration(str(tmp_path / "store")), GeneratedTraining(source, 2)]
    towers = ClipTowers("tiny-random", None, cache=str(tmp_path / "clip"))
    settings = SMALL | {"features": "clip", "clip": towers}
    fit_with(tmp_path, GuideDiagnostics(str(tmp_path / "out"), scenes=2, **settings), callbacks)
    found = files(tmp_path / "out" / "round_1")
    assert [name for name in found if name.startswith("examples/")] == [
        f"examples/{name}{kind}.png" for name in ("amber", "birch") for kind in ("", "_spectra")
    ]
    rows = table(tmp_path / "out" / "round_1" / "features.csv")
    assert {row["scene"] for row in rows if row["set"] == "generated"} == {
        f"{name} generated {index}" for name in ("amber", "birch", "coral") for index in (0, 1)
    }


def test_titles_say_what_the_features_are() -> None:
    assert GuideDiagnostics(features="pixels").features_title() == "(a) RGB patches as 8 x 8 pixels, without CLIP"
    assert GuideDiagnostics().features_title() == "(a) RGB patches, features of CLIP ViT-B-32 (openai)"
    towers = ClipTowers("tiny-random", None)
    assert GuideDiagnostics(clip=towers).features_title().endswith("CLIP tiny-random (random weights)")


def test_clip_that_cannot_be_had_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    towers = ClipTowers("tiny-random", str(tmp_path / "missing.pt"))
    with pytest.raises(ClipError, match=r"or set features of GuideDiagnostics to pixels, which needs no CLIP\.$"):
        fit_with(tmp_path, GuideDiagnostics(clip=towers))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("place", [0, 1])
def test_it_stands_behind_what_it_draws(tmp_path: Path, place: int) -> None:
    callbacks = stages(tmp_path / "store")
    callbacks.insert(place, GuideDiagnostics(**SMALL))
    with pytest.raises(ValueError, match=r"^GuideDiagnostics needs ProxyGeneration, and what makes scenes of the prox"):
        tiny_trainer(tmp_path, callbacks).fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "umap"}, r"^GuideDiagnostics got method='umap': choose one of tsne, pca\.$"),
        ({"features": "vgg"}, r"^GuideDiagnostics got features='vgg': choose one of clip, pixels\.$"),
        ({"patches": 1}, r"^GuideDiagnostics got patches=1: give at least 2\.$"),
        ({"patch_size": 4}, r"^GuideDiagnostics got patch_size=4: give at least 8\.$"),
    ],
)
def test_wrong_arguments_are_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GuideDiagnostics(**changes)
