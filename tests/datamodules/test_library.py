"""The scenes of a data set: subsets, crops, captions, the cache's keys, and what was measured beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from datamodules import BicubicDownsampling
from datamodules.captions import write_captions
from datamodules.library import SceneLibrary, Subset
from datamodules.scenes import Scene
from datamodules.scenes.measured import MeasuredKind

WAVELENGTHS = (470.0, 550.0, 660.0)


def cube(name: str, side: int = 9) -> Tensor:
    """Values that tell scene, band, row and column apart."""
    places = torch.arange(3.0 * side * side).reshape(3, side, side)
    return (places + 250 * "abc".index(name)) / 1000


class Letters(SceneLibrary):
    """Three scenes that count how often they are read."""

    def __init__(self, folder: Path, subsets: Mapping[Subset, list[str] | None] | None = None, **options: Any) -> None:  # noqa: ANN401
        given: dict[Subset, list[str] | None] = dict.fromkeys(
            ("training", "validation", "observed", "unobserved"), None
        )
        settings = {"role": "source", "degradation": None, "crop": None, "captions": None, **options}
        super().__init__(subsets=given | dict(subsets or {}), cache=str(folder), **settings)
        self.read: list[str] = []
        self.edition = "first"

    @property
    def wavelengths(self) -> tuple[float, ...]:
        return WAVELENGTHS

    def scene_names(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    def canonical_name(self, name: str) -> str:
        return name.lower()

    def read_scene(self, name: str) -> Scene:
        self.read.append(name)
        return Scene(name, cube(name), WAVELENGTHS, f"scene {name}")

    def fingerprint(self, name: str) -> str:
        return f"{self.edition} {name}"


class Noisy(Letters):
    """The same, with a noisy observation of each."""

    measured_kinds: ClassVar[tuple[MeasuredKind, ...]] = ("observation",)

    def read_measured(self, name: str, kind: MeasuredKind) -> Scene:
        return Scene(name, cube(name) - 0.5, WAVELENGTHS)


def test_a_subset_that_is_not_given_is_what_its_counterpart_leaves(tmp_path: Path) -> None:
    data = Letters(tmp_path, {"validation": ["B"], "observed": ["c", "a"]})
    assert data.names("training") == ("a", "c")
    assert data.names("validation") == ("b",)
    assert data.names("observed") == ("c", "a")
    assert data.names("unobserved") == ()
    with pytest.raises(ValueError, match=r"\bd\b"):
        Letters(tmp_path, {"training": ["a", "d"]}).names("training")


def test_a_crop_is_the_centre_at_a_multiple_of_the_scale(tmp_path: Path) -> None:
    whole = Letters(tmp_path).scenes(["a"])[0].load().cube
    assert torch.equal(whole, cube("a"))
    cropped = Letters(tmp_path, crop=5).scenes(["A"])[0].load().cube
    assert torch.equal(cropped, cube("a")[:, 2:7, 2:7])
    scaled = Letters(tmp_path, degradation=BicubicDownsampling(4)).scenes(["a"])[0].load().cube
    assert scaled.shape == (3, 8, 8)


def test_a_scene_is_read_once_and_again_when_its_files_are_others(tmp_path: Path) -> None:
    data = Letters(tmp_path)
    assert data.prepared("a") is None
    data.scenes(["a", "b"])
    data.scenes(["a"])
    assert data.read == ["a", "b"]
    prepared = data.prepared("A", verify=True)
    assert prepared is not None
    assert torch.equal(prepared.load().cube, cube("a"))
    cropped = Letters(tmp_path, crop=3)
    assert torch.equal(cropped.scenes(["a"])[0].load().cube, cube("a")[:, 3:6, 3:6])
    assert cropped.read == []
    data.edition = "second"
    assert data.prepared("a") is None
    data.scenes(["a"])
    assert data.read == ["a", "b", "a"]


def test_captions_of_a_file_come_before_those_of_the_scenes(tmp_path: Path) -> None:
    write_captions(tmp_path / "words.json", "Letters", {"a": "a letter"})
    assert [scene.caption for scene in Letters(tmp_path).scenes(["a"])] == ["scene a"]
    data = Letters(tmp_path, captions=str(tmp_path / "words.json"))
    assert [scene.caption for scene in data.scenes(["a", "b"])] == ["a letter", "scene b"]


def test_what_was_measured_is_cropped_like_its_scene(tmp_path: Path) -> None:
    data = Noisy(tmp_path, crop=3)
    assert data.prepared("b") is None
    scene = data.scenes(["b"])[0]
    assert scene.observation is not None
    assert torch.equal(scene.observation.load().cube, scene.load().cube - 0.5)
    assert scene.observation.path.parts[-4:-2] == ("observation", "Noisy")
    assert scene.path.parts[-4:-2] == ("clean", "Noisy")
    with pytest.raises(ValueError, match="BicubicDownsampling has the scale 4: choose one with the scale 1"):
        Noisy(tmp_path, degradation=BicubicDownsampling(4)).measured("a")
    with pytest.raises(ValueError, match="Letters has no measured observation of 'a': leave it out of `measured_kin"):
        Letters(tmp_path).read_measured("a", "observation")
